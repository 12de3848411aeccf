package provider

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

const plantedSecret = "hunter2-secret"

// secretServer is a server that knows a secret.
func secretServer() *server {
	s := &server{logsDebug: true, provider: newProvider("test")}
	s.provider.secrets.Store(managedfields.NewSecrets(map[string]string{"PASSWORD": plantedSecret}))
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
