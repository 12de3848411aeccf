package provider

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	frameworkresource "github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// store is another provider, which writes the template's ConfigMap in the same
// run as the clients: `store_template`.
type store struct {
	write func(text string)
}

func (s *store) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "store"
}
func (s *store) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (s *store) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (s *store) DataSources(context.Context) []func() datasource.DataSource                        { return nil }
func (s *store) Resources(context.Context) []func() frameworkresource.Resource {
	return []func() frameworkresource.Resource{func() frameworkresource.Resource { return &storedTemplate{s} }}
}

type storedTemplate struct{ store *store }

// storedModel has what it stores, and two attributes that a change makes unknown.
type storedModel struct {
	Content   types.String `tfsdk:"content"`
	Revision  types.String `tfsdk:"revision"`
	ConfigMap types.String `tfsdk:"config_map"`
}

func (r *storedTemplate) Metadata(_ context.Context, _ frameworkresource.MetadataRequest, resp *frameworkresource.MetadataResponse) {
	resp.TypeName = "store_template"
}

func (r *storedTemplate) Schema(_ context.Context, _ frameworkresource.SchemaRequest, resp *frameworkresource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"content":    schema.StringAttribute{Required: true},
		"revision":   schema.StringAttribute{Computed: true},
		"config_map": schema.StringAttribute{Computed: true},
	}}
}

func (r *storedTemplate) put(model *storedModel) error {
	parsed, err := template.Parse(model.Content.ValueString())
	if err != nil {
		return err
	}
	r.store.write(model.Content.ValueString())
	model.Revision, model.ConfigMap = types.StringValue(parsed.Revision()), types.StringValue("templates-yaml")
	return nil
}

func (r *storedTemplate) Create(ctx context.Context, req frameworkresource.CreateRequest, resp *frameworkresource.CreateResponse) {
	var model storedModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if err := r.put(&model); err != nil {
		resp.Diagnostics.AddError("Not Stored", err.Error())
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func (r *storedTemplate) Update(ctx context.Context, req frameworkresource.UpdateRequest, resp *frameworkresource.UpdateResponse) {
	var model storedModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if err := r.put(&model); err != nil {
		resp.Diagnostics.AddError("Not Stored", err.Error())
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func (r *storedTemplate) Read(context.Context, frameworkresource.ReadRequest, *frameworkresource.ReadResponse) {
}

func (r *storedTemplate) Delete(context.Context, frameworkresource.DeleteRequest, *frameworkresource.DeleteResponse) {
}

// escaped is text for a heredoc of HCL.
func escaped(text string) string { return strings.ReplaceAll(text, "%{", "%%{") }

func revisionOf(t *testing.T, text string) string {
	t.Helper()
	parsed, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Revision()
}

// A template of another revision than the pinned one is an error at plan, and
// nothing is written.
func TestAccClient_pinnedRevision(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	changed := acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
	s.PutTemplate(t, sample)
	pinned := func(to string) string {
		return s.Provider() + acmeClient(fmt.Sprintf("template = { revision = %q }", to))
	}
	was, is := revisionOf(t, sample), revisionOf(t, changed)
	says := func(found, wanted string) string {
		return fmt.Sprintf(`has revision %s, and the client is pinned to %s. Nothing was changed.`, found, wanted)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: pinned("0123456789ab"), PlanOnly: true, ExpectError: acctest.Message(says(was, "0123456789ab"))},
			{
				Config:           pinned(was),
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{PreConfig: func() { s.PutTemplate(t, changed) }, Config: pinned(was), PlanOnly: true, ExpectError: acctest.Message(says(is, was))},
			{
				Config: pinned(is),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{objectChanges("mira_client.acme",
						"~ StatefulSet/mira-acme "+image+": mira:3.0 -> mira:3.1")},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			// The pin moves ahead of the template. It may be written in the same run;
			// where it is not, the apply says so.
			{Config: pinned("0123456789ab"), ExpectError: acctest.Message(says(is, "0123456789ab"))},
			{Config: pinned(is), PlanOnly: true},
		},
	})
}

// A template that another provider writes in the same run works through a pin,
// through a revision that is unknown at plan, and through any other part of the
// reference that is.
func TestAccClient_templateOfTheSameRun(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name     string
		template func(text string) string
	}{
		{"pinned", func(text string) string {
			return fmt.Sprintf("template   = { revision = %q }\n  depends_on = [store_template.this]", revisionOf(t, text))
		}},
		{"unknown revision", func(string) string { return "template = { revision = store_template.this.revision }" }},
		{"unknown ConfigMap", func(string) string { return "template = { config_map = store_template.this.config_map }" }},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			sample := acctest.SampleTemplate(t)
			both := maps.Clone(factories)
			both["store"] = providerserver.NewProtocol6WithError(&store{write: func(text string) { s.PutTemplate(t, text) }})
			config := func(text string) string {
				return s.Provider() + fmt.Sprintf("provider \"store\" {}\nresource \"store_template\" \"this\" {\n  content = <<-EOT\n%s\nEOT\n}\n",
					escaped(text)) +
					acmeClient(way.template(text+"\n"))
			}
			step := func(text, wanted string) resource.TestStep {
				return resource.TestStep{
					Config: config(text),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{
							plancheck.ExpectUnknownValue("mira_client.acme", tfjsonpath.New("objects")),
							plancheck.ExpectUnknownValue("mira_client.acme", tfjsonpath.New("template_revision")),
						},
						PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
					},
					ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error { return s.CheckPodImage(t, "mira-acme-0", wanted) })},
				}
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: both,
				CheckDestroy:             func(state *terraform.State) error { return noneLeft(t, s)(state) },
				Steps: []resource.TestStep{step(sample, "mira:3.0"),
					step(acctest.Edit(t, sample, "mira:3.0", "mira:3.1"), "mira:3.1")},
			})
		})
	}
}
