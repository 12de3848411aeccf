package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestClientName(t *testing.T) {
	for name, ok := range map[string]bool{
		"acme": true, "123": true, "true": true, "null": true, "1e3": true, "a-b": true, strings.Repeat("a", 40): true,
		"": false, "Acme": false, "a_b": false, "a.b": false, "-a": false, "a-": false, strings.Repeat("a", 41): false,
		"ü": false, "a b": false, "a\n": false,
	} {
		resp := &validator.StringResponse{}
		nameValidator{}.ValidateString(t.Context(), validator.StringRequest{Path: path.Root("name"), ConfigValue: types.StringValue(name)}, resp)
		if resp.Diagnostics.HasError() == ok {
			t.Errorf("name %q: accepted is %v, want %v", name, !ok, ok)
		}
	}
}

func TestAdminEmail(t *testing.T) {
	for address, ok := range map[string]bool{
		"admin@example.com": true, "o'brien+mira@exa-mple.com": true, "a@b": true, `"quoted local"@example.com`: false,
		"": false, "admin": false, "admin@": false, "@example.com": false, "Admin <admin@example.com>": false, "<admin@example.com>": false,
		"admin@example.com ": false, " admin@example.com": false, "a@b.example, c@d.example": false, "admin@example.com\n": false,
		"a b@example.com":             false,
		"admin@example.com (comment)": false,
	} {
		if err := checkEmail(address); (err == nil) != ok {
			t.Errorf("address %q: error %v, want accepted %v", address, err, ok)
		}
	}
}

func TestParseKind(t *testing.T) {
	for text, want := range map[string]schema.GroupKind{
		"Service":              {Kind: "Service"},
		"Ingress":              {Group: "networking.k8s.io", Kind: "Ingress"},
		"StatefulSet":          {Group: "apps", Kind: "StatefulSet"},
		"core/ConfigMap":       {Kind: "ConfigMap"},
		"apps/Deployment":      {Group: "apps", Kind: "Deployment"},
		"cert-manager.io/Cert": {Group: "cert-manager.io", Kind: "Cert"},
	} {
		if got, err := parseKind(text); err != nil || got != want {
			t.Errorf("parseKind(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "ConfigMap", "apps/v1/Deployment", "/ConfigMap", "apps/", "apps/deployment"} {
		if got, err := parseKind(text); err == nil {
			t.Errorf("parseKind(%q) = %v, want an error", text, got)
		}
	}
}
