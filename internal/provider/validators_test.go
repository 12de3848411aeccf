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

func TestClusterDomain(t *testing.T) {
	for domain, want := range map[string]string{
		"mira.example": "", "localhost": "", "a-b.c-d.example": "",
		"https://mira.example":      `is "https://mira.example", which is an address and no domain name: write "mira.example"`,
		"https://mira.example:8443": `is "https://mira.example:8443", which is an address and no domain name: write "mira.example"`,
		"mira.example:8443":         `is "mira.example:8443", which has a port: write "mira.example"`,
		"mira.example/":             `is "mira.example/", which is no domain name: `,
		"":                          `is "", which is no domain name: `,
		"Mira.example":              `is "Mira.example", which is no domain name: `,
		"*.mira.example":            `is "*.mira.example", which is no domain name: `,
		".mira.example":             `is ".mira.example", which is no domain name: `,
		"mira.example\n":            `is "mira.example\n", which is no domain name: `,
	} {
		err := checkDomain(domain)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("domain %q: error %v, want %q", domain, err, want)
		}
	}
}

// An error of a nested attribute names it: the CLI shows the line of the whole block.
func TestValidators_nameTheirAttribute(t *testing.T) {
	for _, test := range []struct {
		at        path.Path
		validator validator.String
		value     string
		want      string
	}{
		{path.Root("cluster_domain"), domainValidator{}, "https://x",
			`cluster_domain is "https://x", which is an address and no domain name: write "x".`},
		{path.Root("rollout").AtName("grace"), periodValidator{}, "30",
			`rollout.grace is "30", which is no duration: write it with its units, such as 30s or 2m30s.`},
		{path.Root("rollout").AtName("soak"), periodValidator{mayBeZero: true}, "-1s", "rollout.soak is -1s, and must be at least 0s."},
	} {
		resp := &validator.StringResponse{}
		test.validator.ValidateString(t.Context(), validator.StringRequest{Path: test.at, ConfigValue: types.StringValue(test.value)}, resp)
		if len(resp.Diagnostics) != 1 || resp.Diagnostics[0].Detail() != test.want {
			t.Errorf("%s: got %v, want %s", test.at, resp.Diagnostics, test.want)
		}
	}
}
