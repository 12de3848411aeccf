// Command httpprovider stands in for the provider hashicorp/http in tests of examples: its
// data source `http`, with the arguments that they use, as the documentation of version 3
// describes them. The real one cannot be built here, as its releases since 1.2 are not to be
// had as Go modules.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func main() {
	options := providerserver.ServeOpts{Address: "test.example/hashicorp/http"}
	if err := providerserver.Serve(context.Background(), func() provider.Provider { return &httpProvider{} }, options); err != nil {
		log.Fatal(err)
	}
}

type httpProvider struct{}

func (*httpProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "http"
}

func (*httpProvider) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (*httpProvider) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}

func (*httpProvider) Resources(context.Context) []func() resource.Resource { return nil }

func (*httpProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return &httpDataSource{} }}
}

type httpDataSource struct{}

type model struct {
	URL              types.String `tfsdk:"url"`
	RequestTimeoutMs types.Int64  `tfsdk:"request_timeout_ms"`
	Retry            *retry       `tfsdk:"retry"`
	ID               types.String `tfsdk:"id"`
	ResponseBody     types.String `tfsdk:"response_body"`
	StatusCode       types.Int64  `tfsdk:"status_code"`
}

type retry struct {
	Attempts   types.Int64 `tfsdk:"attempts"`
	MinDelayMs types.Int64 `tfsdk:"min_delay_ms"`
	MaxDelayMs types.Int64 `tfsdk:"max_delay_ms"`
}

func (*httpDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "http"
}

func (*httpDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"url":                schema.StringAttribute{Required: true},
			"request_timeout_ms": schema.Int64Attribute{Optional: true},
			"id":                 schema.StringAttribute{Computed: true},
			"response_body":      schema.StringAttribute{Computed: true},
			"status_code":        schema.Int64Attribute{Computed: true},
		},
		Blocks: map[string]schema.Block{
			"retry": schema.SingleNestedBlock{Attributes: map[string]schema.Attribute{
				"attempts":     schema.Int64Attribute{Optional: true},
				"min_delay_ms": schema.Int64Attribute{Optional: true},
				"max_delay_ms": schema.Int64Attribute{Optional: true},
			}},
		},
	}
}

func (*httpDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	attempts, delay := int64(1), time.Duration(0)
	if m.Retry != nil {
		attempts += m.Retry.Attempts.ValueInt64()
		delay = time.Duration(m.Retry.MinDelayMs.ValueInt64()) * time.Millisecond
	}
	client := &http.Client{Timeout: time.Duration(m.RequestTimeoutMs.ValueInt64()) * time.Millisecond}
	var problem string
	for range attempts {
		code, body, err := get(ctx, client, m.URL.ValueString())
		if err == nil && (code < 500 || code == http.StatusNotImplemented) {
			m.ID, m.StatusCode, m.ResponseBody = m.URL, types.Int64Value(int64(code)), types.StringValue(body)
			resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
			return
		}
		problem = fmt.Sprintf("Error making request: GET %s giving up after %d attempt(s): %d, %v", m.URL.ValueString(), attempts, code, err)
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
	resp.Diagnostics.AddError("Error making request", problem)
}

// get returns the status and the body of an answer.
func get(ctx context.Context, client *http.Client, url string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, string(data), err
}
