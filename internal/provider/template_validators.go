package provider

import (
	"context"

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
	checkName(req, resp, validation.IsDNS1123Subdomain, "Invalid ConfigMap Name", "name a ConfigMap")
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
	checkName(req, resp, validation.IsConfigMapKey, "Invalid ConfigMap Key", "be a key of a ConfigMap")
}
