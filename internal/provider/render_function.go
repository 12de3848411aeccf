package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

var _ function.Function = (*renderFunction)(nil)

// renderFunction is provider::mira::render. It knows nothing of the provider's
// configuration: the CLI calls functions of a provider that is not configured.
type renderFunction struct {
	secrets *managedfields.Register // gets those of the calls, so that no error and no log quotes one
}

// The positions of the arguments of render.
const (
	renderTemplate int64 = iota
	renderClient
	renderAdminEmail
	renderClusterDomain
	renderVariables
	renderOptionsAt
)

func (f *renderFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "render"
}

func (f *renderFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Renders a client template, without a cluster",
		MarkdownDescription: "Returns the objects that a client template gives for one client: an object with an attribute for each of them, " +
			"by `Kind/name`, as `yamldecode` would return it. They are what a plan sends to the cluster, with the client's namespace and labels, " +
			"before the cluster adds its defaults; the `stringData` of a Secret stands in `data`. " +
			"What a plan refuses without asking the cluster is an error here, with the line of the template.\n\n" +
			"It needs no cluster and no configuration of the provider, so that a template can be tested before it is stored. " +
			"Sensitive arguments make the result sensitive. Needs Terraform 1.8 or OpenTofu 1.7.",
		Parameters: []function.Parameter{
			function.StringParameter{
				Name:                "template",
				MarkdownDescription: "The text of the template, such as `file(\"client_template.yaml\")`.",
			},
			function.StringParameter{
				Name:                "client",
				MarkdownDescription: "The name of the client, which replaces `%CLIENT_NAME%`.",
			},
			function.StringParameter{
				Name:                "admin_email",
				MarkdownDescription: "The e-mail address of the client's administrator, which replaces `%EMAIL_ADMIN%`.",
			},
			function.StringParameter{
				Name:           "cluster_domain",
				AllowNullValue: true,
				MarkdownDescription: "The domain of the clients' addresses, which replaces `%CLUSTER_DOMAIN%`. " +
					"It may be null if the template does not use it.",
			},
			function.MapParameter{
				Name:                "variables",
				ElementType:         types.StringType,
				AllowNullValue:      true,
				MarkdownDescription: "The values of further placeholders, of the provider and of the client together. Null means none.",
			},
		},
		VariadicParameter: function.DynamicParameter{
			Name: "options",
			MarkdownDescription: "An object with what differs from the defaults; all its attributes are optional:\n" +
				"   - `allowed_kinds`: the kinds that the template may hold, as in the provider's `allowed_kinds`.\n" +
				"   - `namespace`: the namespace of the client, by default `" + mira.DefaultNamespace + "`.\n" +
				"   - `secret_variables`: placeholders that are `secret_variables` of the provider or the client, with values for the test. " +
				"They are always text, and may not stand in names and keys.\n" +
				"   - `delete_data`: `true` if the clients have `delete_data = true`, so that the template may have Kubernetes delete claims.",
		},
		Return: function.DynamicReturn{},
	}
}

func (f *renderFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var text, client, email, domain types.String
	var variables types.Map
	var further []types.Dynamic
	resp.Error = req.Arguments.Get(ctx, &text, &client, &email, &domain, &variables, &further)
	if resp.Error != nil {
		return
	}
	options, optionsError := parseRenderOptions(ctx, further)
	resp.Error = function.ConcatFuncErrors(
		checkArgument(ctx, renderClient, "client", client, nameValidator{}),
		checkArgument(ctx, renderAdminEmail, "admin_email", email, emailValidator{}),
		checkArgument(ctx, renderClusterDomain, "cluster_domain", domain, domainValidator{}),
		checkVariables(ctx, renderVariables, "variables", variables),
		optionsError,
	)
	if resp.Error != nil {
		return
	}
	f.secrets.Add(managedfields.NewSecrets(options.secrets))
	spec := mira.Spec{
		Name: client.ValueString(), AdminEmail: email.ValueString(),
		Namespace: options.namespace, Variables: textsOf(variables), DeleteData: options.deleteData,
	}
	for _, name := range slices.Sorted(maps.Keys(options.secrets)) {
		if _, isVariable := spec.Variables[name]; isVariable {
			resp.Error = invalidArgument(renderOptionsAt,
				fmt.Sprintf("secret_variables: %s is in variables, too. Leave it out of one of them", name))
			return
		}
	}
	objects, err := mira.RenderText(ctx, text.ValueString(), spec, mira.Settings{
		ClusterDomain: domain.ValueString(), Secrets: options.secrets, AllowedKinds: options.allowedKinds,
	})
	if err != nil {
		resp.Error = renderError(err, domain.IsNull())
		return
	}
	rendered := make(map[string]any, len(objects))
	for _, object := range objects {
		rendered[kube.RefOf(object).Key()] = object.Object
	}
	resp.Error = resp.Result.Set(ctx, types.DynamicValue(dynamicOf(ctx, rendered)))
}

// checkArgument reports what a validator of the resource's attributes finds in an argument.
func checkArgument(ctx context.Context, at int64, name string, text types.String, v validator.String) *function.FuncError {
	var resp validator.StringResponse
	v.ValidateString(ctx, validator.StringRequest{Path: path.Root(name), ConfigValue: text}, &resp)
	return argumentError(at, "", resp.Diagnostics)
}

// checkVariables does the same for variables.
func checkVariables(ctx context.Context, at int64, name string, variables types.Map, more ...validator.Map) *function.FuncError {
	var resp validator.MapResponse
	for _, v := range append([]validator.Map{variablesValidator{}}, more...) {
		v.ValidateMap(ctx, validator.MapRequest{Path: path.Root(name), ConfigValue: variables}, &resp)
	}
	return argumentError(at, "", resp.Diagnostics)
}

// argumentError returns an error about an argument, or nil. The titles of diagnostics are
// left out: the CLI says that an argument is invalid.
func argumentError(at int64, prefix string, diags diag.Diagnostics) *function.FuncError {
	var texts []string
	for _, d := range diags.Errors() {
		texts = append(texts, prefix+d.Detail())
	}
	if len(texts) == 0 {
		return nil
	}
	slices.Sort(texts)
	return invalidArgument(at, strings.Join(texts, "\n"))
}

// invalidArgument returns an error about an argument. The CLI ends it with a full stop.
func invalidArgument(at int64, text string) *function.FuncError {
	return function.NewArgumentFuncError(at, strings.TrimSuffix(text, "."))
}

// renderError says what is wrong with a template, or with the argument that is at fault.
func renderError(err error, hasNoDomain bool) *function.FuncError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []*function.FuncError
		for _, single := range joined.Unwrap() {
			errs = append(errs, renderError(single, hasNoDomain))
		}
		return function.ConcatFuncErrors(errs...)
	}
	if invalid, ok := errors.AsType[*mira.TemplateError](err); ok {
		return templateError(invalid.Err, func(fault *template.Error) (int64, string) {
			switch {
			case fault.Placeholder == template.PlaceholderClusterDomain && hasNoDomain:
				return renderClusterDomain, fmt.Sprintf("it is null, and line %d of the template uses %%CLUSTER_DOMAIN%%", fault.Line)
			case fault.InvalidClientName:
				return renderClient, fault.Error()
			}
			return renderTemplate, fault.Error()
		})
	}
	text := sentence(err.Error())
	if holds[*mira.ClaimPolicyError](err) {
		text += " That would delete the client's data. Remove the policy from the template, or set the option delete_data to true " +
			"if the clients have it."
	}
	return invalidArgument(renderTemplate, text)
}

// templateError reports all faults of a template, each in a line, as describe does. An error
// has one argument: that of the first fault.
func templateError(err error, describe func(*template.Error) (int64, string)) *function.FuncError {
	var errs []*function.FuncError
	for _, fault := range template.Errors(err) {
		errs = append(errs, invalidArgument(describe(fault)))
	}
	return function.ConcatFuncErrors(errs...)
}

// dynamicOf returns a value of YAML as yamldecode does: mappings are objects, lists are
// tuples.
func dynamicOf(ctx context.Context, content any) attr.Value {
	switch v := content.(type) {
	case map[string]any:
		fields, fieldTypes := make(map[string]attr.Value, len(v)), make(map[string]attr.Type, len(v))
		for name, field := range v {
			fields[name] = dynamicOf(ctx, field)
			fieldTypes[name] = fields[name].Type(ctx)
		}
		return types.ObjectValueMust(fieldTypes, fields)
	case []any:
		items, itemTypes := make([]attr.Value, 0, len(v)), make([]attr.Type, 0, len(v))
		for _, item := range v {
			value := dynamicOf(ctx, item)
			items, itemTypes = append(items, value), append(itemTypes, value.Type(ctx))
		}
		return types.TupleValueMust(itemTypes, items)
	case string:
		return types.StringValue(v)
	case bool:
		return types.BoolValue(v)
	case int64:
		return types.NumberValue(new(big.Float).SetInt64(v))
	case float64:
		return types.NumberValue(big.NewFloat(v))
	}
	return types.StringNull()
}
