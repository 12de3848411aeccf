package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// renderOptions are what a call of render can have otherwise than by default. The arguments
// of a function have no optional attributes, so the options come as an object of any type.
type renderOptions struct {
	namespace    string
	allowedKinds []schema.GroupKind
	secrets      map[string]string
	deleteData   bool
}

// renderOptionParsers has each option. A value that is null counts as absent.
var renderOptionParsers = map[string]func(context.Context, *renderOptions, attr.Value) *function.FuncError{
	"allowed_kinds": func(_ context.Context, o *renderOptions, value attr.Value) *function.FuncError {
		names, ok := elementsOf(value)
		if !ok {
			return optionError("allowed_kinds", "must be a list of texts")
		}
		o.allowedKinds = nil
		for _, name := range names {
			kind, err := parseKind(name)
			if err != nil {
				return optionError("allowed_kinds", err.Error())
			}
			o.allowedKinds = append(o.allowedKinds, kind)
		}
		return nil
	},
	"namespace": func(ctx context.Context, o *renderOptions, value attr.Value) *function.FuncError {
		text, ok := value.(types.String)
		if !ok {
			return optionError("namespace", "must be a text")
		}
		o.namespace = text.ValueString()
		var resp validator.StringResponse
		namespaceValidator{}.ValidateString(ctx, validator.StringRequest{Path: path.Root("namespace"), ConfigValue: text}, &resp)
		return argumentError(renderOptionsAt, "namespace: ", resp.Diagnostics)
	},
	"secret_variables": func(ctx context.Context, o *renderOptions, value attr.Value) *function.FuncError {
		secrets, ok := attributesOfMap(value)
		if !ok {
			return optionError("secret_variables", "must be a map of texts")
		}
		elements := make(map[string]attr.Value, len(secrets))
		o.secrets = make(map[string]string, len(secrets))
		for name, secret := range secrets {
			text, ok := secret.(types.String)
			if !ok && !secret.IsNull() {
				return optionError("secret_variables", fmt.Sprintf("the value of %s must be a text: put it in quotes", name))
			}
			elements[name], o.secrets[name] = text, text.ValueString()
		}
		return checkVariables(ctx, renderOptionsAt, "secret_variables",
			types.MapValueMust(types.StringType, elements), secretsValidator{})
	},
	"delete_data": func(_ context.Context, o *renderOptions, value attr.Value) *function.FuncError {
		given, ok := value.(types.Bool)
		if !ok {
			return optionError("delete_data", "must be true or false")
		}
		o.deleteData = given.ValueBool()
		return nil
	},
}

func optionError(option, reason string) *function.FuncError {
	return invalidArgument(renderOptionsAt, option+": "+reason)
}

// parseRenderOptions reads the arguments after the fixed ones, of which there is at most one.
func parseRenderOptions(ctx context.Context, given []types.Dynamic) (renderOptions, *function.FuncError) {
	options := renderOptions{namespace: mira.DefaultNamespace, allowedKinds: mira.DefaultAllowedKinds()}
	if len(given) == 0 {
		return options, nil
	}
	if len(given) > 1 {
		return options, invalidArgument(renderOptionsAt+1,
			fmt.Sprintf("there is one object with all options; these are %d", len(given)))
	}
	fields, ok := attributesOfMap(given[0].UnderlyingValue())
	known := slices.Sorted(maps.Keys(renderOptionParsers))
	if !ok {
		return options, invalidArgument(renderOptionsAt,
			fmt.Sprintf("must be an object with options; there are %s", joined(known, plain)))
	}
	var errs []*function.FuncError
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parse, ok := renderOptionParsers[name]
		switch {
		case !ok:
			errs = append(errs, invalidArgument(renderOptionsAt,
				fmt.Sprintf("there is no option %q; there are %s", name, joined(known, plain))))
		case !fields[name].IsNull():
			errs = append(errs, parse(ctx, &options, fields[name]))
		}
	}
	return options, function.ConcatFuncErrors(errs...)
}

func plain(text string) string { return text }

// attributesOfMap returns the values of an object or a map.
func attributesOfMap(value attr.Value) (map[string]attr.Value, bool) {
	switch v := value.(type) {
	case types.Object:
		return v.Attributes(), true
	case types.Map:
		return v.Elements(), true
	}
	return nil, false
}

// elementsOf returns the texts of a list, a set or a tuple.
func elementsOf(value attr.Value) ([]string, bool) {
	list, ok := value.(interface{ Elements() []attr.Value })
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(list.Elements()))
	for _, element := range list.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsNull() {
			return nil, false
		}
		texts = append(texts, text.ValueString())
	}
	return texts, true
}

// textsOf returns the values of a map of texts that was validated.
func textsOf(texts types.Map) map[string]string {
	all := make(map[string]string, len(texts.Elements()))
	for name, element := range texts.Elements() {
		if text, ok := element.(types.String); ok {
			all[name] = text.ValueString()
		}
	}
	return all
}
