package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// Default time-outs. The first pull of the images on a new node takes longest.
const (
	defaultCreateTimeout = 10 * time.Minute
	defaultReadTimeout   = 2 * time.Minute
	defaultUpdateTimeout = 10 * time.Minute
	defaultDeleteTimeout = 10 * time.Minute
)

var (
	_ resource.ResourceWithConfigure      = (*clientResource)(nil)
	_ resource.ResourceWithIdentity       = (*clientResource)(nil)
	_ resource.ResourceWithImportState    = (*clientResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*clientResource)(nil)
	_ resource.ResourceWithValidateConfig = (*clientResource)(nil)
)

type clientResource struct {
	provider *configured
	secrets  *managedfields.Register // of all clients; known without a configuration of the provider
}

// subject of an error that concerns a client.
func (r *clientResource) subject(name string) subject {
	s := clientSubject(name)
	if r.provider != nil {
		s.told = &r.provider.told
	}
	return s
}

func (r *clientResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_client"
}

func (r *clientResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = clientSchema(ctx)
}

func (r *clientResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = clientIdentitySchema()
}

func (r *clientResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.provider = configuredOf(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig refuses a variable that is secret and is not.
func (r *clientResource) ValidateConfig(_ context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	config, diags := readClient(req.Config.Raw)
	resp.Diagnostics.Append(diags...)
	r.noteSecrets(&config)
	resp.Diagnostics.Append(setTwice(config.Secrets.get(), config.Variables.get())...)
}

// noteSecrets has the secrets of a client redacted in what this process tells and logs from now on.
func (r *clientResource) noteSecrets(config *clientModel) {
	if secrets, _, _ := knownVariables(path.Root(secretVariablesAttribute), config.Secrets); len(secrets) > 0 {
		r.secrets.Add(managedfields.NewSecrets(secrets))
	}
}

func (r *clientResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	plan, diags := readPlanned(req.Plan.Raw, req.Config.Raw)
	resp.Diagnostics.Append(diags...)
	r.noteSecrets(&plan)
	spec, options, diags := r.applyInput(&plan)
	resp.Diagnostics.Append(diags...)
	options.Timeout, diags = timeout("create", plan.Timeouts.get().Create, defaultCreateTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	outcome, err := r.provider.fleet.Create(ctx, spec, options)
	isInterrupted := errors.Is(err, context.Canceled)
	if outcome != nil && err != nil && len(outcome.Existed) > 0 && !isInterrupted {
		// State and an error together would taint the client, and the next apply
		// would delete one that served before. Without state it is adopted again.
		addErrors(&resp.Diagnostics, r.subject(spec.Name), err)
		addNotInState(&resp.Diagnostics, spec, r.provider.fleet.Release(ctx, spec.Name, outcome.Refs))
		return
	}
	if outcome != nil {
		outcome.Cluster = r.provider.fleet.ClusterID(ctx)
		addWarnings(&resp.Diagnostics, outcome.Warnings)
		if err != nil && !isInterrupted {
			// The delete that replaces a tainted client reads the state, and the claims
			// may hold data of an earlier client of this name.
			plan.DeleteData = knownValue(false)
		}
		resp.Diagnostics.Append(plan.save(ctx, outcome.State, &resp.State, resp.Identity, resp.Private)...)
	}
	switch {
	case outcome != nil && isInterrupted:
		plan.saveAsPlanned(&resp.State)
		addInterrupted(&resp.Diagnostics, clientSubject(spec.Name), err)
	case outcome != nil && err != nil:
		addErrors(&resp.Diagnostics, r.subject(spec.Name), err)
		resp.Diagnostics.AddError("New Client Is Tainted",
			fmt.Sprintf("The objects of client %q are written and in the state. "+
				"As it never served, the next apply deletes and creates it again (its claims stay). "+
				"If it comes up by itself, keep it:\n  terraform untaint ADDRESS", spec.Name))
	case err != nil:
		addErrors(&resp.Diagnostics, r.subject(spec.Name), err)
	}
}

// applyInput is what Create and Update have in common: the spec, resolved where
// the plan could not know it, and what was planned.
func (r *clientResource) applyInput(plan *clientModel) (mira.Spec, mira.ApplyOptions, diag.Diagnostics) {
	if r.provider == nil || r.provider.fleet == nil {
		return mira.Spec{}, mira.ApplyOptions{}, diag.Diagnostics{diag.NewErrorDiagnostic("Provider Configuration Not Known",
			"The provider's configuration has unknown values during apply. "+
				"A provider can only be configured with what is known before its resources are applied.")}
	}
	spec, _, diags := plan.spec(r.provider.template)
	return spec, mira.ApplyOptions{Wait: plan.WaitForRollout.get(), Planned: plan.Objects.get()}, diags
}

func (r *clientResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	model, diags := readClient(req.State.Raw)
	resp.Diagnostics.Append(diags...)
	if r.provider == nil || r.provider.fleet == nil {
		// There is no cluster to ask yet: the state stays as it is. The identity must be
		// set all the same, as a CLI before 1.12 does not keep it.
		resp.Identity.Raw = model.identity().encode()
		return
	}
	private, diags := loadClientPrivate(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	timeout, diags := timeout("read", model.Timeouts.get().Read, defaultReadTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	live, err := resultOr(ctx, func() (*mira.State, error) {
		r.provider.readTemplateAhead(ctx, &model)
		return r.provider.fleet.Read(ctx, model.Namespace.get(), model.Name.get(), model.state(private))
	})
	if err != nil {
		addErrors(&resp.Diagnostics, r.subject(model.Name.get()), err)
		return
	}
	if live == nil {
		// Without an identity the framework takes the answer for a mistake.
		resp.Identity.Raw = model.identity().encode()
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(model.save(ctx, *live, &resp.State, resp.Identity, resp.Private)...)
}

func (r *clientResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	plan, diags := readPlanned(req.Plan.Raw, req.Config.Raw)
	resp.Diagnostics.Append(diags...)
	r.noteSecrets(&plan)
	prior, diags := readClient(req.State.Raw)
	resp.Diagnostics.Append(diags...)
	private, diags := loadClientPrivate(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	spec, options, diags := r.applyInput(&plan)
	resp.Diagnostics.Append(diags...)
	options.Timeout, diags = timeout("update", plan.Timeouts.get().Update, defaultUpdateTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	outcome, err := r.provider.fleet.Update(ctx, spec, prior.state(private), options)
	var partial *mira.PartialWriteError
	var rolledBack *mira.RolledBackError
	if errors.As(err, &partial) || errors.As(err, &rolledBack) {
		// The attributes stay as they were, so that the next plan shows the same
		// change; what was created by now must not be forgotten.
		resp.Diagnostics.Append(clientPrivate{Refs: outcome.Refs, Journal: outcome.Journal}.save(ctx, resp.Private)...)
		addErrors(&resp.Diagnostics, r.subject(spec.Name), err)
		return
	}
	if outcome != nil {
		outcome.Cluster = r.provider.fleet.ClusterID(ctx)
		addWarnings(&resp.Diagnostics, outcome.Warnings)
		resp.Diagnostics.Append(plan.save(ctx, outcome.State, &resp.State, resp.Identity, resp.Private)...)
	}
	switch {
	case outcome != nil && errors.Is(err, context.Canceled):
		plan.saveAsPlanned(&resp.State)
		addInterrupted(&resp.Diagnostics, clientSubject(spec.Name), err)
	case err != nil:
		addErrors(&resp.Diagnostics, r.subject(spec.Name), err)
	}
}

func (r *clientResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	model, diags := readClient(req.State.Raw)
	resp.Diagnostics.Append(diags...)
	private, diags := loadClientPrivate(ctx, req.Private)
	resp.Diagnostics.Append(diags...)
	timeout, diags := timeout("delete", model.Timeouts.get().Delete, defaultDeleteTimeout)
	resp.Diagnostics.Append(diags...)
	if r.provider == nil || r.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known", "The provider's configuration has unknown values, so that the client "+
			"cannot be deleted.")
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	namespace, name := model.Namespace.get(), model.Name.get()
	deleted, err := r.provider.fleet.Delete(ctx, namespace, name, model.state(private), model.DeleteData.get())
	if err != nil {
		addErrors(&resp.Diagnostics, r.subject(name), err)
		return
	}
	addWarnings(&resp.Diagnostics, deleted.Warnings)
	if len(deleted.DeletedClaims) > 0 {
		resp.Diagnostics.AddWarning(fmt.Sprintf("Client Data Deleted (Client %q)", name),
			fmt.Sprintf("Client %q is deleted, and with it, as delete_data was set, PersistentVolumeClaim %s in namespace %q.",
				name, strings.Join(deleted.DeletedClaims, ", "), namespace))
	}
	if len(deleted.KeptClaims) > 0 {
		resp.Diagnostics.AddWarning("Client Data Kept",
			fmt.Sprintf("Client %q is deleted; its data stays in namespace %q, in PersistentVolumeClaim %s. Creating the client again finds it.",
				name, namespace, strings.Join(deleted.KeptClaims, ", ")))
	}
}

func (r *clientResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if r.provider == nil || r.provider.fleet == nil {
		resp.Diagnostics.AddError("Provider Configuration Not Known", "A client can only be imported when the provider's configuration is known.")
		return
	}
	identity, diags := importedIdentity(req)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if identity.Namespace.get() == "" {
		identity.Namespace = r.provider.namespace
	}
	imported, err := importClient(ctx, r.provider, identity)
	if err != nil {
		addErrors(&resp.Diagnostics, r.subject(identity.Name.get()), err)
		return
	}
	addWarnings(&resp.Diagnostics, imported.Warnings)
	model, err := importedClient(ctx, identity, imported)
	if err != nil {
		resp.Diagnostics.AddError("Imported Client Not Complete", sentence(err.Error()))
		return
	}
	resp.Diagnostics.Append(model.save(ctx, imported.State, &resp.State, resp.Identity, resp.Private)...)
}

// importClient finds a client in the cluster.
func importClient(ctx context.Context, provider *configured, identity clientIdentity) (*mira.Imported, error) {
	spec := mira.Spec{Namespace: identity.Namespace.get(), Name: identity.Name.get(), Template: provider.template, DeleteData: true}
	imported, err := provider.fleet.Import(ctx, spec)
	if err != nil {
		return nil, err
	}
	imported.Cluster = provider.fleet.ClusterID(ctx)
	return imported, nil
}

// importedIdentity reads what a client is to be imported by. The namespace may be empty.
func importedIdentity(req resource.ImportStateRequest) (clientIdentity, diag.Diagnostics) {
	if req.ID == "" && (req.Identity == nil || req.Identity.Raw.IsNull()) {
		return clientIdentity{}, diag.Diagnostics{diag.NewErrorDiagnostic("Invalid Import ID",
			"The ID is empty. It is `namespace/name`, or the name of a client.")}
	}
	if req.ID == "" {
		identity, err := decodeClientIdentity(req.Identity.Raw)
		if err != nil {
			return identity, diag.Diagnostics{diag.NewErrorDiagnostic("Invalid Import Identity", sentence(err.Error()))}
		}
		return identity, nil
	}
	namespace, name, ok := strings.Cut(req.ID, "/")
	if !ok {
		namespace, name = "", req.ID
	}
	if name == "" || ok && namespace == "" || strings.Contains(name, "/") {
		return clientIdentity{}, diag.Diagnostics{diag.NewErrorDiagnostic("Invalid Import ID",
			fmt.Sprintf("%q is neither `namespace/name` nor the name of a client.", req.ID))}
	}
	return clientIdentity{Namespace: knownValue(namespace), Name: knownValue(name)}, nil
}
