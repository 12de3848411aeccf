package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// FieldsLost returns the fields, with their live values, that an object loses or has
// reset when it is adopted: those that a former manager set and that we do not
// apply. `result` is the dry run of our apply.
//
// A former manager owns the server's defaults, too, as it wrote by POST. They go
// and come back with the same values, so they must not count. Only the server
// knows its defaults: it is asked by the dry run of an update without the
// fields.
func (c *Client) FieldsLost(ctx context.Context, live, result *unstructured.Unstructured) (managedfields.Fields, error) {
	if c.fields.Applied(live) {
		return nil, nil
	}
	adoption := c.fields.Adoption(live, result, nil)
	going, err := adoption.Orphaned()
	if err != nil || len(going) == 0 {
		return nil, err
	}
	probe, err := c.Probe(result, live)
	if err != nil {
		return nil, err
	}
	body := result.DeepCopy()
	managedfields.Remove(body, going)
	after, err := probe.update(ctx, body)
	if err != nil {
		return nil, err
	}
	return adoption.Lost(after), nil
}
