package provider

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

const plantedSecret = "hunter2-secret"

// secretServer is a server that knows a secret.
func secretServer() *server {
	s := &server{logsDebug: true, provider: newProvider("test")}
	s.provider.secrets.Add(managedfields.NewSecrets(map[string]string{"PASSWORD": plantedSecret}))
	return s
}

// No diagnostic, and no error of a call, has a secret, whoever has put it there.
func TestRedacted(t *testing.T) {
	t.Parallel()
	diagnosticsOf := func(r *tfprotov6.PlanResourceChangeResponse) []*tfprotov6.Diagnostic { return r.Diagnostics }
	answer := &tfprotov6.PlanResourceChangeResponse{Diagnostics: []*tfprotov6.Diagnostic{
		{Summary: "About " + plantedSecret, Detail: fmt.Sprintf("Invalid value: %q", plantedSecret)}, {Summary: "Other", Detail: "Text"},
	}}
	got, err := redacted(secretServer(), answer, errors.New("failed: "+plantedSecret), diagnosticsOf)
	want := []string{"About (secret PASSWORD)", `Invalid value: "(secret PASSWORD)"`, "Other", "Text"}
	first, second := got.Diagnostics[0], got.Diagnostics[1]
	for i, text := range []string{first.Summary, first.Detail, second.Summary, second.Detail} {
		if text != want[i] {
			t.Errorf("got %q, want %q", text, want[i])
		}
	}
	if err == nil || err.Error() != "failed: (secret PASSWORD)" {
		t.Errorf("the error is %v", err)
	}
	if _, err := redacted(secretServer(), nil, errors.New("failed"), diagnosticsOf); err == nil {
		t.Error("the error is lost")
	}
}

// No field of the debug log has a secret, of whatever type it is.
func TestWithLogger_secrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ctx := secretServer().withLogger(tflogtest.RootLogger(t.Context(), &log))
	logging.Debug(ctx, "Tried", "text", "x"+plantedSecret, "error", errors.New(plantedSecret), "list", []string{plantedSecret},
		"struct", struct{ A string }{plantedSecret}, "count", 1)
	if text := log.String(); strings.Contains(text, plantedSecret) || strings.Count(text, "(secret PASSWORD)") != 4 {
		t.Errorf("the log is %s", text)
	}
}

func TestSecretsValidator(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{"": true, "a": false, "abc": false, "abcd": true} {
		resp := &validator.MapResponse{}
		secretsValidator{}.ValidateMap(t.Context(), validator.MapRequest{
			Path:        path.Root("secret_variables"),
			ConfigValue: types.MapValueMust(types.StringType, map[string]attr.Value{"PIN": types.StringValue(value), "X": types.StringUnknown()}),
		}, resp)
		if resp.Diagnostics.HasError() == ok {
			t.Errorf("%q: accepted is %t, want %t", value, !ok, ok)
		}
	}
}

// A variable that is secret in one place and not in the other would show.
func TestProviderModel_secretSetTwice(t *testing.T) {
	t.Parallel()
	values := types.MapValueMust(types.StringType, map[string]attr.Value{"PASSWORD": types.StringValue(plantedSecret)})
	model := providerModel{Secrets: values}
	settings, diags := model.settings(t.Context(), "")
	if diags.HasError() || settings.Secrets["PASSWORD"] != plantedSecret {
		t.Errorf("the secrets are %v: %v", settings.Secrets, diags)
	}
	model.Variables = values
	_, diags = model.settings(t.Context(), "")
	if len(diags) != 1 || diags[0].Summary() != "Variable Set Twice" || strings.Contains(diags[0].Detail(), plantedSecret) {
		t.Errorf("got %v", diags)
	}
}

// clientConfig is the configuration of a client with these variables, as the framework has it.
func clientConfig(t *testing.T, attributes map[string]any) tfsdk.Config {
	t.Helper()
	value, err := valueFrom(clientKind.typ, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return tfsdk.Config{Raw: value, Schema: clientSchema(t.Context())}
}

// What is secret and is not would show. The secrets are known from then on, so that no error
// that follows has them.
func TestClientValidateConfig(t *testing.T) {
	t.Parallel()
	r := &clientResource{secrets: &managedfields.Register{}}
	for _, test := range []struct {
		name      string
		variables any
		want      string
	}{
		{"no variables", nil, ""},
		{"another variable", map[string]any{"TAG": "3.0"}, ""},
		{"the same variable", map[string]any{"PASSWORD": "x"}, "Variable Set Twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp := &resource.ValidateConfigResponse{}
			r.ValidateConfig(t.Context(), resource.ValidateConfigRequest{Config: clientConfig(t, map[string]any{
				"name": "acme", "variables": test.variables, "secret_variables": map[string]any{"PASSWORD": plantedSecret},
			})}, resp)
			switch {
			case test.want == "" && len(resp.Diagnostics) == 0:
			case len(resp.Diagnostics) == 1 && resp.Diagnostics[0].Summary() == test.want:
				if detail := resp.Diagnostics[0].Detail(); strings.Contains(detail, plantedSecret) || !strings.Contains(detail, "PASSWORD") {
					t.Errorf("the error says %q", detail)
				}
			default:
				t.Errorf("got %v, want %q", resp.Diagnostics, test.want)
			}
		})
	}
	if got := r.secrets.Redact(plantedSecret); got != "(secret PASSWORD)" {
		t.Errorf("the secret shows as %q", got)
	}
}

// An older CLI has no write-only attributes. It refuses a client that uses one, and no other.
func TestClient_olderCLI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		secrets any
		want    string
	}{{"no secrets", nil, ""}, {"a secret", map[string]any{"PASSWORD": plantedSecret}, "WriteOnly Attribute Not Allowed"}} {
		t.Run(test.name, func(t *testing.T) {
			resp, err := NewServer("test")().ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{
				TypeName: clientType, Config: stateOf(t, clientKind.typ, map[string]any{
					"name": "acme", "admin_email": "a@acme.example", "secret_variables": test.secrets,
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, diagnostic := range resp.Diagnostics {
				got += diagnostic.Summary
				if strings.Contains(diagnostic.Detail, plantedSecret) {
					t.Errorf("the error has the secret: %s", diagnostic.Detail)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What a plan takes over of a configuration is known as unknown, null or too short.
func TestClientModel_secrets(t *testing.T) {
	t.Parallel()
	model := clientModel{Secrets: knownValue(map[string]value[string]{
		"KNOWN": knownValue(plantedSecret), "EMPTY": knownValue(""), "SHORT": knownValue("abc"), "NULL": nullValue[string](),
		"UNKNOWN": unknownValue[string](),
	})}
	spec, unknown, diags := model.spec(mira.TemplateSource{})
	if want := map[string]string{"KNOWN": plantedSecret, "EMPTY": "", "SHORT": "abc"}; !maps.Equal(spec.Secrets, want) {
		t.Errorf("the secrets are %v, want %v", spec.Secrets, want)
	}
	if model.isKnown() || !slices.Equal(unknown.Secrets, []string{"UNKNOWN"}) || unknown.AnySecret {
		t.Errorf("unknown are %+v", unknown)
	}
	var summaries []string
	for _, d := range diags {
		summaries = append(summaries, d.Summary())
	}
	slices.Sort(summaries)
	if !slices.Equal(summaries, []string{"Missing Variable Value", "Secret Value Too Short"}) {
		t.Errorf("the diagnostics are %v", diags)
	}
	state := &clientModel{Variables: knownValue(map[string]value[string]{"KNOWN": knownValue("x"), "TAG": knownValue("3.0")})}
	if got := model.recordedSecrets(state); !slices.Equal(got, []string{"KNOWN"}) || model.recordedSecrets(nil) != nil {
		t.Errorf("recorded in clear are %v", got)
	}
}
