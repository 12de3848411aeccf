package provider

import (
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

func TestProviderModel_rolloutPeriods(t *testing.T) {
	duration := types.StringValue
	defaults := mira.DefaultRolloutSettings()
	tests := map[string]struct {
		model                           rolloutModel
		grace, unschedulableGrace, soak time.Duration
		says                            string
	}{
		"by default": {
			grace: defaults.Grace, unschedulableGrace: defaults.UnschedulableGrace, soak: 10 * time.Second,
		},
		"all of them": {
			model: rolloutModel{Grace: duration("1s"), UnschedulableGrace: duration("2s"), Soak: duration("3s")},
			grace: time.Second, unschedulableGrace: 2 * time.Second, soak: 3 * time.Second,
		},
		"no soak": {
			model: rolloutModel{Soak: duration("0s")},
			grace: defaults.Grace, unschedulableGrace: defaults.UnschedulableGrace,
		},
		"a negative soak": {
			model: rolloutModel{Soak: duration("-1s")},
			says:  "Invalid Duration: rollout.soak is -1s, and must be at least 0s.",
		},
		"no grace": {
			model: rolloutModel{Grace: duration("0s")},
			says:  "Invalid Duration: rollout.grace is 0s, and must be more than 0s.",
		},
		"a grace without a unit": {
			model: rolloutModel{Grace: duration("30")},
			says:  `Invalid Duration: rollout.grace is "30", which is no duration: write it with its units, such as 30s or 2m30s.`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kind, ok := rolloutSchema().GetType().(attr.TypeWithAttributeTypes)
			if !ok {
				t.Fatal("rollout is no object")
			}
			object, diags := types.ObjectValueFrom(t.Context(), kind.AttributeTypes(), test.model)
			if diags.HasError() {
				t.Fatal(diags)
			}
			settings, diags := (&providerModel{Rollout: object}).rollout(t.Context())
			if test.says != "" {
				if len(diags) != 1 || diags[0].Summary()+": "+diags[0].Detail() != test.says {
					t.Errorf("got %v, want %s", diags, test.says)
				}
				return
			}
			if diags.HasError() {
				t.Fatal(diags)
			}
			if settings.Grace != test.grace || settings.UnschedulableGrace != test.unschedulableGrace || settings.Soak != test.soak {
				t.Errorf("grace %s, unschedulable grace %s, soak %s", settings.Grace, settings.UnschedulableGrace, settings.Soak)
			}
		})
	}
}
