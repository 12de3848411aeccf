package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// metadataPageSize bounds a page of metadata: 500 objects are about half a MiB.
const metadataPageSize = 500

// ListMetadata lists the objects of a kind in a namespace, by their metadata alone, as far as
// the server knows such an answer.
func ListMetadata(ctx context.Context, c *Client, kind schema.GroupKind, namespace string) ([]*unstructured.Unstructured, error) {
	endpoint, err := c.kinds.served(kind.WithVersion(""))
	if err != nil {
		return nil, err
	}
	all := NewRef(endpoint.GroupVersion().WithKind(kind.Kind), namespace, "*")
	options := listOptions{resource: endpoint, namespace: namespace, limit: metadataPageSize, nameOnly: true}
	var objects []*unstructured.Unstructured
	for {
		page, err := listPage(ctx, c.requests, options)
		if err != nil {
			return nil, c.errors.translate("list", all, err)
		}
		for _, item := range page.items {
			object, err := decodeItem(item.data, all)
			if err != nil {
				return nil, c.errors.translate("list", all, err)
			}
			objects = append(objects, object)
		}
		if page.next == "" {
			return objects, nil
		}
		options.next = page.next
	}
}
