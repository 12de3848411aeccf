package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"
)

// listOptions say what part of a kind is listed.
type listOptions struct {
	resource  schema.GroupVersionResource
	namespace string
	selector  string // of labels; empty for all objects
	fields    string // a selector of fields; empty for all objects
	limit     int    // of the page; zero for no limit
	next      string // continues a list
	nameOnly  bool   // the objects' metadata suffice
}

// metadataOnly asks for nothing but the metadata, and for all where the server
// knows no such answer.
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// page is a part of a list, its objects as the server wrote them: decoded, they
// take about six times as much memory.
type page struct {
	items []item
	next  string // continues the list; empty for the last page
}

type item struct {
	name string
	data []byte
}

// listPage reads one page of the objects of a kind.
func listPage(ctx context.Context, server rest.Interface, options listOptions) (page, error) {
	resource := options.resource
	request := server.Get().AbsPath(resourcePath(resource, options.namespace)...).SetHeader("Accept", "application/json")
	if options.nameOnly {
		request.SetHeader("Accept", metadataOnly)
	}
	if options.selector != "" {
		request.Param("labelSelector", options.selector)
	}
	if options.fields != "" {
		request.Param("fieldSelector", options.fields)
	}
	if options.limit > 0 {
		request.Param("limit", strconv.Itoa(options.limit))
	}
	if options.next != "" {
		request.Param("continue", options.next)
	}
	result := request.Do(ctx)
	// Unlike that of Raw, this error has what the server says.
	if err := result.Error(); err != nil {
		return page{}, err
	}
	answer, err := result.Raw()
	if err != nil {
		return page{}, err
	}
	var answered struct {
		Metadata struct {
			Continue string `json:"continue"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(answer, &answered); err != nil {
		return page{}, fmt.Errorf("the server's list of %s cannot be read: %w", resource.Resource, err)
	}
	read := page{next: answered.Metadata.Continue, items: make([]item, 0, len(answered.Items))}
	for _, data := range answered.Items {
		name, err := nameIn(data)
		if err != nil {
			return page{}, fmt.Errorf("the server's list of %s cannot be read: %w", resource.Resource, err)
		}
		read.items = append(read.items, item{name: name, data: data})
	}
	return read, nil
}

// resourcePath returns the path of the objects of a kind in a namespace.
func resourcePath(resource schema.GroupVersionResource, namespace string) []string {
	if resource.Group == "" {
		return []string{"/api", resource.Version, "namespaces", namespace, resource.Resource}
	}
	return []string{"/apis", resource.Group, resource.Version, "namespaces", namespace, resource.Resource}
}

// nameIn reads metadata.name, which stands near the beginning, without reading the
// rest.
func nameIn(data []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	for _, field := range []string{"metadata", "name"} {
		if err := enter(decoder, field); err != nil {
			return "", err
		}
	}
	var name string
	err := decoder.Decode(&name)
	return name, err
}

// enter goes to the value of a field of the object that comes next.
func enter(decoder *json.Decoder, field string) error {
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return errors.Join(err, fmt.Errorf("there is no object that could have a field %q", field))
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil || name == field {
			return err
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("there is no field %q", field)
}

// decodeItem reads an item of a list, which leaves out what the list says: its
// kind.
func decodeItem(data []byte, ref Ref) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &object.Object); err != nil {
		return nil, err
	}
	object.SetGroupVersionKind(ref.GroupVersionKind())
	return object, nil
}

// isNoList reports whether the server may answer single reads all the same. One that
// has forgotten how a list goes on would take it from its beginning only.
func isNoList(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsNotFound(err) ||
		apierrors.IsMethodNotSupported(err) || apierrors.IsBadRequest(err) || apierrors.IsNotAcceptable(err)
}
