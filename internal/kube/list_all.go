package kube

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// listedPageSize bounds a page of [ListAll] and its like. See tuning.pageSize.
const listedPageSize = 500

// ListAll reads all objects of a kind in a namespace, page by page. It is for those who look
// at a whole namespace; who looks for the objects of some clients needs a [Batcher]. The
// error is a [*ForbiddenError] where the right to list is missing, and a [*KindError] for a
// kind that the server does not serve in namespaces.
func ListAll(ctx context.Context, c *Client, kind schema.GroupKind, namespace string) ([]*unstructured.Unstructured, error) {
	return listAll(ctx, c, kind, listOptions{namespace: namespace, limit: listedPageSize})
}

// ListSelected is [ListAll] of the objects that have some values in fields, of those fields by which
// the server can select objects of the kind.
func ListSelected(
	ctx context.Context, c *Client, kind schema.GroupKind, namespace string, values map[string]string,
) ([]*unstructured.Unstructured, error) {
	selector := fields.SelectorFromSet(values).String()
	return listAll(ctx, c, kind, listOptions{namespace: namespace, limit: listedPageSize, fields: selector})
}

// ListMetadata is [ListAll] of the objects' metadata alone, as far as the server knows such an
// answer: 500 objects are about half a MiB.
func ListMetadata(ctx context.Context, c *Client, kind schema.GroupKind, namespace string) ([]*unstructured.Unstructured, error) {
	return listAll(ctx, c, kind, listOptions{namespace: namespace, limit: listedPageSize, nameOnly: true})
}

func listAll(ctx context.Context, c *Client, kind schema.GroupKind, options listOptions) ([]*unstructured.Unstructured, error) {
	resource, err := c.kinds.resource(kind.WithVersion(""))
	if err != nil {
		return nil, err
	}
	options.resource = resource
	ref := NewRef(resource.GroupVersion().WithKind(kind.Kind), options.namespace, "*")
	var objects []*unstructured.Unstructured
	for {
		page, err := listPage(ctx, c.requests, options)
		if (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && options.next != "" {
			// The server has forgotten how the list goes on: once more, in one piece.
			options.next, options.limit, objects = "", 0, nil
			continue
		}
		if err != nil {
			return nil, c.errors.translate("list", ref, err)
		}
		for _, item := range page.items {
			object, err := decodeItem(item.data, ref)
			if err != nil {
				return nil, c.errors.translate("list", ref, err)
			}
			objects = append(objects, object)
		}
		if page.next == "" {
			return objects, nil
		}
		options.next = page.next
	}
}
