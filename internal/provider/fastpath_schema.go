package provider

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// providersDefault is the attribute whose default is the provider's: the only one that
// may be left out and has no default in the schema, see [fastPath.hasDefaults].
const providersDefault = "namespace"

// checkFastPath returns an error for a schema that has what the fast path does not know.
// The framework would do more than the fast path there, such as run a plan modifier.
func checkFastPath(ctx context.Context, resource schema.Schema, codec tftypes.Type, defaults map[string]tftypes.Value) error {
	if len(resource.Blocks) > 0 {
		return fmt.Errorf("the schema has blocks")
	}
	known, ok := codec.(tftypes.Object)
	if !ok {
		return fmt.Errorf("the codec is for a %s", codec)
	}
	for name, attribute := range resource.Attributes {
		typ, isDecoded := known.AttributeTypes[name]
		if !isDecoded || !typ.Equal(attribute.GetType().TerraformType(ctx)) {
			return fmt.Errorf("attribute %s: the codec does not know it, or as a value of another type", name)
		}
		if attribute.IsWriteOnly() && name != secretVariablesAttribute { // see [fastPath.setSecrets]
			return fmt.Errorf("attribute %s: it is write-only", name)
		}
		if err := checkFastAttribute(attribute); err != nil {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
		if _, ok := defaults[name]; attribute.IsOptional() && attribute.IsComputed() && !ok && name != providersDefault {
			return fmt.Errorf("attribute %s: it is optional and computed, and has no default", name)
		}
	}
	return nil
}

// checkFastAttribute returns an error for a kind of attribute that the fast path does
// not know.
func checkFastAttribute(attribute schema.Attribute) error {
	switch attribute := attribute.(type) {
	case schema.StringAttribute:
		for _, modifier := range attribute.PlanModifiers {
			if reflect.TypeOf(modifier) != reflect.TypeOf(stringplanmodifier.RequiresReplace()) {
				return fmt.Errorf("its plan modifier %T is not known", modifier)
			}
		}
		return checkNoCustomType(attribute.CustomType)
	case schema.BoolAttribute:
		return checkPlain(len(attribute.PlanModifiers), attribute.CustomType)
	case schema.MapAttribute:
		return checkPlain(len(attribute.PlanModifiers), attribute.CustomType)
	case schema.ListAttribute:
		return checkPlain(len(attribute.PlanModifiers), attribute.CustomType)
	case schema.SingleNestedAttribute:
		if _, isTimeouts := attribute.CustomType.(timeouts.Type); !isTimeouts {
			if err := checkPlain(len(attribute.PlanModifiers), attribute.CustomType); err != nil {
				return err
			}
		}
		return checkFastNested(attribute)
	}
	return fmt.Errorf("its kind %T is not known", attribute)
}

// checkFastNested returns an error unless the nested attributes are optional texts, so
// that the framework leaves them as they are configured.
func checkFastNested(attribute schema.SingleNestedAttribute) error {
	for name, nested := range attribute.Attributes {
		text, ok := nested.(schema.StringAttribute)
		if !ok || text.Default != nil || text.Computed || text.WriteOnly {
			return fmt.Errorf("nested attribute %s is no optional text", name)
		}
		if err := checkPlain(len(text.PlanModifiers), text.CustomType); err != nil {
			return fmt.Errorf("nested attribute %s: %w", name, err)
		}
	}
	return nil
}

// checkPlain returns an error for what may change a value on its way to the plan.
func checkPlain(planModifiers int, customType any) error {
	if planModifiers > 0 {
		return fmt.Errorf("it has a plan modifier")
	}
	return checkNoCustomType(customType)
}

// checkNoCustomType returns an error for a type of values with an equality of their
// own.
func checkNoCustomType(customType any) error {
	if customType != nil {
		return fmt.Errorf("its type %T is not known", customType)
	}
	return nil
}
