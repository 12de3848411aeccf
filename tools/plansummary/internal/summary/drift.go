package summary

import (
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/tools/plansummary/internal/plan"
)

// Drift is one field of a client that was changed outside of Terraform.
type Drift struct {
	Client Client `json:"client"`
	Field
}

// WholeClient is the path of a client that is gone as a whole.
const WholeClient = "(client)"

// DriftOf returns what was changed on the clients outside of Terraform since the last apply, field by field.
func DriftOf(p *plan.Plan) []Drift {
	drifts := []Drift{}
	for i := range p.ResourceDrift {
		resource := &p.ResourceDrift[i]
		if resource.Mode != managed || resource.Type != clientType {
			continue
		}
		client := clientOf(resource)
		if resource.Change.Action() == plan.Delete {
			drifts = append(drifts, Drift{client, Field{Path: WholeClient, Before: exists}})
			continue
		}
		for _, field := range fieldsOf(&resource.Change) {
			drifts = append(drifts, Drift{client, field})
		}
	}
	slices.SortStableFunc(drifts, func(a, b Drift) int { return compareClients(a.Client, b.Client) })
	return drifts
}
