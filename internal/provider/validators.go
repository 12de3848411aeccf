package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// nameValidator checks the name of a client: an RFC 1123 label, no
// longer than the Django controller allowed.
type nameValidator struct{}

func (nameValidator) Description(context.Context) string {
	return fmt.Sprintf("must be an RFC 1123 label (lower-case letters, digits and hyphens, beginning and ending with a letter or digit) of "+
		"at most %d characters", mira.MaximumClientName)
}

func (v nameValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v nameValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	name := req.ConfigValue.ValueString()
	if len(name) > mira.MaximumClientName || len(validation.IsDNS1123Label(name)) > 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid Client Name", fmt.Sprintf("The name of a client %s. "+
			"%q, of %d characters, is not.", v.Description(ctx), name, len(name)))
	}
}

// namespaceValidator checks the name of a namespace.
type namespaceValidator struct{}

func (namespaceValidator) Description(context.Context) string { return "must be an RFC 1123 label" }

func (v namespaceValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v namespaceValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	checkName(req, resp, validation.IsDNS1123Label, "Invalid Namespace Name", "name a namespace")
}

// checkName refuses a known text of which Kubernetes says that it cannot be what it is to be, as in
// "name a namespace".
func checkName(
	req validator.StringRequest, resp *validator.StringResponse, reasonsAgainst func(string) []string, title, toBe string,
) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if reasons := reasonsAgainst(req.ConfigValue.ValueString()); len(reasons) > 0 {
		resp.Diagnostics.AddAttributeError(req.Path, title,
			fmt.Sprintf("%q cannot %s: %s.", req.ConfigValue.ValueString(), toBe, strings.Join(reasons, "; ")))
	}
}

// domainValidator checks the domain of the clients' addresses.
type domainValidator struct{}

func (domainValidator) Description(context.Context) string {
	return "must be a domain name, such as `mira.example`, without a scheme, a port or a path"
}

func (v domainValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (domainValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := checkDomain(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.Append(invalidDomain(req.Path, err))
	}
}

func invalidDomain(at path.Path, err error) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Invalid Cluster Domain", fmt.Sprintf("%s %v.", at, err))
}

// checkDomain refuses what cannot stand after `client.` in a host name.
func checkDomain(text string) error {
	reasons := validation.IsDNS1123Subdomain(text)
	if len(reasons) == 0 {
		return nil
	}
	if parsed, err := url.Parse(text); err == nil && parsed.Hostname() != "" && len(validation.IsDNS1123Subdomain(parsed.Hostname())) == 0 {
		return fmt.Errorf("is %q, which is an address and no domain name: write %q", text, parsed.Hostname())
	}
	if host, _, ok := strings.Cut(text, ":"); ok && len(validation.IsDNS1123Subdomain(host)) == 0 {
		return fmt.Errorf("is %q, which has a port: write %q", text, host)
	}
	reason, _, _ := strings.Cut(reasons[0], " (e.g.")
	return fmt.Errorf("is %q, which is no domain name: %s", text, reason)
}

// periodValidator checks a period of time.
type periodValidator struct{ mayBeZero bool }

func (v periodValidator) Description(context.Context) string {
	if v.mayBeZero {
		return "must be a duration of at least 0s, such as `30s` or `2m30s`"
	}
	return "must be a duration of more than 0s, such as `30s` or `2m30s`"
}

func (v periodValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v periodValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := v.parse(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.Append(invalidPeriod(req.Path, err))
	}
}

// parse reads a period as Go writes it.
func (v periodValidator) parse(text string) (time.Duration, error) {
	duration, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("is %q, which is no duration: write it with its units, such as 30s or 2m30s", text)
	case duration < 0 && v.mayBeZero:
		return 0, fmt.Errorf("is %s, and must be at least 0s", duration)
	case duration <= 0 && !v.mayBeZero:
		return 0, fmt.Errorf("is %s, and must be more than 0s", duration)
	}
	return duration, nil
}

func invalidPeriod(at path.Path, err error) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Invalid Duration", fmt.Sprintf("%s %v.", at, err))
}

// emailValidator checks an administrator's address: what net/mail
// reads as a bare addr-spec (RFC 5322, section 3.4.1) with a domain.
type emailValidator struct{}

func (emailValidator) Description(context.Context) string {
	return "must be a bare e-mail address, such as `admin@example.com`"
}

func (v emailValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v emailValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := checkEmail(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid E-Mail Address", fmt.Sprintf("The administrator's address %s. %q is not: "+
			"%v.", strings.ReplaceAll(v.Description(ctx), "`", ""), req.ConfigValue.ValueString(), err))
	}
}

func checkEmail(text string) error {
	address, err := mail.ParseAddress(text)
	switch {
	case err != nil:
		return errors.New(strings.TrimPrefix(err.Error(), "mail: "))
	case address.Name != "" || address.Address != text:
		return errors.New("it has more than the address itself (a display name, angle brackets, a comment or blanks)")
	case strings.HasSuffix(text, "@"):
		return errors.New("it has no domain")
	}
	return nil
}

// variablesValidator checks the names of variables, and refuses null
// values, which no placeholder can take.
type variablesValidator struct{}

func (variablesValidator) Description(context.Context) string {
	return "keys must be names of placeholders"
}

func (v variablesValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v variablesValidator) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for name, value := range req.ConfigValue.Elements() {
		at := req.Path.AtMapKey(name)
		if err := template.ValidVariableName(name); err != nil {
			resp.Diagnostics.AddAttributeError(at, "Invalid Variable Name", sentence(err.Error()))
		}
		if value.IsNull() {
			resp.Diagnostics.Append(missingVariableValue(req.Path, name))
		}
	}
}

// secretsValidator refuses secrets that are too short to be told from other text.
type secretsValidator struct{}

func (secretsValidator) Description(context.Context) string {
	return fmt.Sprintf("values must be empty, or have at least %d bytes", managedfields.MinimumSecret)
}

func (v secretsValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v secretsValidator) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	for name, element := range req.ConfigValue.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsNull() || text.IsUnknown() {
			continue
		}
		if secret := text.ValueString(); isTooShort(secret) {
			resp.Diagnostics.Append(secretTooShort(req.Path, name, secret))
		}
	}
}

func isTooShort(secret string) bool { return secret != "" && len(secret) < managedfields.MinimumSecret }

func secretTooShort(secrets path.Path, name, secret string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(secrets.AtMapKey(name), "Secret Value Too Short",
		fmt.Sprintf("The value of secret variable %s has %d bytes, and must have none or at least %d: a shorter one occurs in other text "+
			"by chance, so that the provider could not keep it out of what it shows. If it is no secret, it belongs in variables.",
			name, len(secret), managedfields.MinimumSecret))
}

// setTwice refuses secret variables that are variables, too, whose values show.
func setTwice[S, V any](secrets map[string]S, variables map[string]V) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if _, isVariable := variables[name]; isVariable {
			diags.AddAttributeError(path.Root(secretVariablesAttribute), "Variable Set Twice",
				fmt.Sprintf("Variable %s is in variables, too, where its value is shown. Leave it out of one of them.", name))
		}
	}
	return diags
}

func missingVariableValue(variables path.Path, name string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(variables.AtMapKey(name), "Missing Variable Value",
		fmt.Sprintf("Variable %s is null. Leave it out, or give it a value; \"\" is one.", name))
}

// kindsValidator checks the elements of allowed_kinds.
type kindsValidator struct{}

func (kindsValidator) Description(context.Context) string {
	return "must be `group/Kind`, or one of `Service`, `Ingress`, `StatefulSet`"
}

func (v kindsValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v kindsValidator) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	for _, element := range req.ConfigValue.Elements() {
		name, ok := element.(types.String)
		if !ok || name.IsNull() || name.IsUnknown() {
			continue
		}
		if _, err := parseKind(name.ValueString()); err != nil {
			resp.Diagnostics.AddAttributeError(req.Path.AtSetValue(element), "Invalid Kind Name", sentence(err.Error()))
		}
	}
}

// parseKind reads an element of allowed_kinds.
func parseKind(text string) (schema.GroupKind, error) {
	group, kind, hasGroup := strings.Cut(text, "/")
	if !hasGroup {
		for _, usual := range mira.DefaultAllowedKinds() {
			if usual.Kind == text {
				return usual, nil
			}
		}
		return schema.GroupKind{}, fmt.Errorf("%q names no API group: write group/Kind, such as apps/Deployment, or core/ConfigMap for the "+
			"core group", text)
	}
	if group == "" || kind == "" || strings.Contains(kind, "/") || kind[0] < 'A' || kind[0] > 'Z' {
		return schema.GroupKind{}, fmt.Errorf("%q is not of the form group/Kind, such as apps/Deployment (without a version)", text)
	}
	if group == "core" {
		group = ""
	}
	return schema.GroupKind{Group: group, Kind: kind}, nil
}
