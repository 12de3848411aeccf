package provider

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemaDefaults returns the defaults of a resource's attributes, by name. Defaults of
// nested attributes are not among them.
func schemaDefaults(ctx context.Context, resource schema.Schema) (map[string]tftypes.Value, error) {
	found := make(map[string]tftypes.Value)
	for name, attribute := range resource.Attributes {
		byDefault, diags := defaultOf(ctx, path.Root(name), attribute)
		if diags.HasError() {
			return nil, fmt.Errorf("the default of %s: %s", name, diags[0].Detail())
		}
		if byDefault == nil {
			continue
		}
		value, err := byDefault.ToTerraformValue(ctx)
		if err != nil {
			return nil, fmt.Errorf("the default of %s: %w", name, err)
		}
		found[name] = value
	}
	return found, nil
}

// defaultOf returns nil for an attribute without a default, and an error for a kind of
// attribute whose default it does not know.
func defaultOf(ctx context.Context, at path.Path, attribute schema.Attribute) (attr.Value, diag.Diagnostics) {
	switch attribute := attribute.(type) {
	case schema.StringAttribute:
		if attribute.Default == nil {
			return nil, nil
		}
		var resp defaults.StringResponse
		attribute.Default.DefaultString(ctx, defaults.StringRequest{Path: at}, &resp)
		return resp.PlanValue, resp.Diagnostics
	case schema.BoolAttribute:
		if attribute.Default == nil {
			return nil, nil
		}
		var resp defaults.BoolResponse
		attribute.Default.DefaultBool(ctx, defaults.BoolRequest{Path: at}, &resp)
		return resp.PlanValue, resp.Diagnostics
	}
	if field := reflect.ValueOf(attribute).FieldByName("Default"); !field.IsValid() || field.IsNil() {
		return nil, nil
	}
	return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Unknown Kind Of Default",
		fmt.Sprintf("Defaults of a %T are not known.", attribute))}
}

// defaultClient returns a client with the defaults of the schema; the other attributes
// are null.
func defaultClient(ctx context.Context) (clientModel, error) {
	byDefault, err := schemaDefaults(ctx, clientSchema(ctx))
	if err != nil {
		return clientModel{}, err
	}
	var model clientModel
	for _, attribute := range clientAttributes {
		if value, ok := byDefault[attribute.name]; ok {
			if err := attribute.decode(&model, value); err != nil {
				return model, err
			}
		}
	}
	return model, nil
}
