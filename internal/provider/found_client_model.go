package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// foundClient is a client as the data sources tell of it. Nil stands for null.
type foundClient struct {
	Name             string            `tfsdk:"name"`
	Namespace        string            `tfsdk:"namespace"`
	AdminEmail       *string           `tfsdk:"admin_email"`
	Variables        map[string]string `tfsdk:"variables"`
	URL              *string           `tfsdk:"url"`
	Images           map[string]string `tfsdk:"images"`
	Replicas         *int64            `tfsdk:"replicas"`
	ReadyReplicas    *int64            `tfsdk:"ready_replicas"`
	State            string            `tfsdk:"state"`
	Reason           *string           `tfsdk:"reason"`
	Managed          bool              `tfsdk:"managed"`
	Objects          []string          `tfsdk:"objects"`
	Missing          []string          `tfsdk:"missing"`
	UpToDate         *bool             `tfsdk:"up_to_date"`
	Differences      []string          `tfsdk:"differences"`
	TemplateRevision *string           `tfsdk:"template_revision"`
	Claims           []foundClaim      `tfsdk:"persistent_volume_claims"`
}

// foundClaim is a claim as the data sources tell of it.
type foundClaim struct {
	Name   string  `tfsdk:"name"`
	Client *string `tfsdk:"client"`
	Size   string  `tfsdk:"size"`
	Phase  string  `tfsdk:"phase"`
	InUse  bool    `tfsdk:"in_use"`
}

// lookedUpTemplate says with which template the data sources compare.
type lookedUpTemplate struct {
	Namespace types.String `tfsdk:"namespace"`
	ConfigMap types.String `tfsdk:"config_map"`
	Key       types.String `tfsdk:"key"`
}

// source returns where the template is, where that is not said of the provider's. The template may
// be nil.
func (t *lookedUpTemplate) source(base mira.TemplateSource) mira.TemplateSource {
	if t == nil {
		return base
	}
	return base.Override(mira.TemplateSource{
		Namespace: t.Namespace.ValueString(), ConfigMap: t.ConfigMap.ValueString(), Key: t.Key.ValueString(),
	})
}

func newFoundClient(c mira.FoundClient) foundClient {
	found := foundClient{
		Name: c.Name, Namespace: c.Namespace, AdminEmail: textOrNull(c.AdminEmail), Variables: c.Variables, URL: textOrNull(c.URL),
		Images: c.Images, Replicas: c.Rollout.Desired, ReadyReplicas: c.Rollout.Ready, State: c.Rollout.State,
		Reason: textOrNull(c.Rollout.Reason), Managed: c.IsManaged, Objects: c.Objects, Missing: c.Missing, UpToDate: c.IsUpToDate,
		TemplateRevision: textOrNull(c.Revision), Claims: newFoundClaims(c.Claims),
	}
	if c.Missing != nil { // it was compared
		found.Differences = append([]string{}, c.Differences...)
	}
	return found
}

// newFoundClaims keeps nil as nil.
func newFoundClaims(claims []mira.FoundClaim) []foundClaim {
	if claims == nil {
		return nil
	}
	found := make([]foundClaim, 0, len(claims))
	for _, c := range claims {
		found = append(found, foundClaim{Name: c.Name, Client: textOrNull(c.Client), Size: c.Size.String(), Phase: c.Phase, InUse: c.InUse})
	}
	return found
}

// textOrNull returns nil for an empty text.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
