package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

var _ function.Function = (*revisionFunction)(nil)

// revisionFunction is provider::mira::revision.
type revisionFunction struct{}

func (*revisionFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "revision"
}

func (*revisionFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Returns the revision of a client template",
		MarkdownDescription: "Returns the short hash of a client template's content that `template_revision` of a `mira_client` has, " +
			"and that `revision` in its `template` pins. Comments, white space and quoting do not change it. " +
			"It needs no cluster and no configuration of the provider. Needs Terraform 1.8 or OpenTofu 1.7.",
		Parameters: []function.Parameter{function.StringParameter{
			Name:                "template",
			MarkdownDescription: "The text of the template, such as `file(\"client_template.yaml\")`.",
		}},
		Return: function.StringReturn{},
	}
}

func (*revisionFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var text string
	if resp.Error = req.Arguments.Get(ctx, &text); resp.Error != nil {
		return
	}
	parsed, err := template.Parse(text)
	if err != nil {
		resp.Error = templateError(err, func(fault *template.Error) (int64, string) { return 0, fault.Error() })
		return
	}
	resp.Error = resp.Result.Set(ctx, parsed.Revision())
}
