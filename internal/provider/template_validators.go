package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/util/validation"
)

// configMapValidator checks the name of a ConfigMap.
type configMapValidator struct{}

func (configMapValidator) Description(context.Context) string { return "must be an RFC 1123 subdomain" }

func (v configMapValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v configMapValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if reasons := validation.IsDNS1123Subdomain(req.ConfigValue.ValueString()); len(reasons) > 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid ConfigMap Name",
			fmt.Sprintf("%q cannot name a ConfigMap: %s.", req.ConfigValue.ValueString(), strings.Join(reasons, "; ")))
	}
}

// configMapKeyValidator checks a key of a ConfigMap.
type configMapKeyValidator struct{}

func (configMapKeyValidator) Description(context.Context) string {
	return "must be letters, digits, hyphens, underscores and dots"
}

func (v configMapKeyValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v configMapKeyValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if reasons := validation.IsConfigMapKey(req.ConfigValue.ValueString()); len(reasons) > 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid ConfigMap Key",
			fmt.Sprintf("%q cannot be a key of a ConfigMap: %s.", req.ConfigValue.ValueString(), strings.Join(reasons, "; ")))
	}
}
