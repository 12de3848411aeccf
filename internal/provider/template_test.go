package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

func TestTemplateID(t *testing.T) {
	source := mira.TemplateSource{Namespace: "controller", ConfigMap: "templates-yaml", Key: "client_template.yaml"}
	if parsed, err := parseTemplateID(templateID(source)); parsed != source || err != nil {
		t.Errorf("%s is read as %v, error %v", templateID(source), parsed, err)
	}
	for _, id := range []string{"", "client_template.yaml", "templates-yaml/client_template.yaml", "a//c", "/b/c", "a/b/", "a/b/c/d"} {
		if parsed, err := parseTemplateID(id); err == nil {
			t.Errorf("%q is read as %v, want an error", id, parsed)
		}
	}
}

// Where a template lies is the configuration's to say, then the provider's. While that is not
// known, it stays where it is.
func TestTemplateModel_setDefaults(t *testing.T) {
	byDefault := &configured{fleet: &mira.Fleet{}, template: mira.TemplateSource{Namespace: "ns", ConfigMap: "cm", Key: "k"}}
	text := types.StringValue
	for _, test := range []struct {
		name                string
		config, prior, want *templateModel
		provider            *configured
	}{
		{
			"the provider's", &templateModel{Key: text("own")}, nil,
			&templateModel{Namespace: text("ns"), ConfigMap: text("cm"), Key: text("own")}, byDefault,
		},
		{
			"the provider's in the place of the state's", &templateModel{},
			&templateModel{Namespace: text("a"), ConfigMap: text("b"), Key: text("c")},
			&templateModel{Namespace: text("ns"), ConfigMap: text("cm"), Key: text("k")}, byDefault,
		},
		{
			"the state's while the provider's is not known", &templateModel{Key: text("own")},
			&templateModel{Namespace: text("a"), ConfigMap: text("b"), Key: text("c")},
			&templateModel{Namespace: text("a"), ConfigMap: text("b"), Key: text("own")}, &configured{},
		},
		{
			"nothing known", &templateModel{Key: types.StringUnknown()}, nil,
			&templateModel{Namespace: types.StringUnknown(), ConfigMap: types.StringUnknown(), Key: types.StringUnknown()}, &configured{},
		},
	} {
		plan := *test.config
		plan.setDefaults(test.config, test.prior, test.provider)
		if plan.identity() != test.want.identity() {
			t.Errorf("%s: %v, want %v", test.name, plan.identity(), test.want.identity())
		}
	}
}
