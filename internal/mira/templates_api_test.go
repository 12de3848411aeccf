package mira_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

const templates = mira.DefaultTemplateConfigMap

func templateSpec(s *acctest.Sandbox, content string) mira.TemplateSpec {
	return mira.TemplateSpec{Source: specOf(s, "").Template, Content: content, Namespace: s.Namespace}
}

// putTemplate plans and writes a template as the CLI has it done, each in a process of its
// own, and returns the plan's warnings.
func putTemplate(
	t *testing.T, s *acctest.Sandbox, spec mira.TemplateSpec, prior *mira.TemplateState,
) (warnings []mira.Warning, created bool) {
	t.Helper()
	plan, err := newProcess(t, s).Templates().Plan(t.Context(), spec, prior)
	if err != nil {
		t.Fatal(err)
	}
	applying := newProcess(t, s).Templates()
	if _, err := applying.Plan(t.Context(), spec, prior); err != nil {
		t.Fatal(err)
	}
	if created, err = applying.Put(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return plan.Warnings, created
}

func dataOf(t *testing.T, s *acctest.Sandbox) map[string]string {
	t.Helper()
	data, _, _ := unstructured.NestedStringMap(s.Get(t, "ConfigMap", templates).Object, "data")
	return data
}

// configMapOf is the ConfigMap of the templates, with further fields.
func configMapOf(further map[string]any) *unstructured.Unstructured {
	object := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": templates}}
	maps.Copy(object, further)
	return &unstructured.Unstructured{Object: object}
}

// A template is created with its ConfigMap, which goes with it. In one that exists it takes
// over its own key alone, also from kubectl, so that no later change is a conflict.
func TestTemplatesAPI_life(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	spec, changed := templateSpec(s, sample), templateSpec(s, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
	warnings, isCreated := putTemplate(t, s, spec, nil)
	if len(warnings) > 0 || !isCreated {
		t.Errorf("warnings %v, created: %t; want a new ConfigMap without a warning", warnings, isCreated)
	}
	owned := mira.DeleteOptions{Namespace: s.Namespace, IsOwnConfigMap: true}
	if err := newProcess(t, s).Templates().Delete(t.Context(), spec.Source, owned); err != nil {
		t.Fatal(err)
	}
	if s.Exists(t, "ConfigMap", templates) {
		t.Error("the ConfigMap that was created with the template is still there")
	}

	s.Create(t, configMapOf(map[string]any{"data": map[string]any{spec.Source.Key: sample, "other": "1"}}), "kubectl-create")
	warnings, isCreated = putTemplate(t, s, spec, nil)
	if len(warnings) > 0 || isCreated {
		t.Errorf("warnings %v, created: %t; want the same content to be taken over without a warning", warnings, isCreated)
	}
	ours := []string{"terraform-provider-mira Apply"}
	if diff := cmp.Diff(ours, s.Owners(t, "ConfigMap", templates, "data", spec.Source.Key)); diff != "" {
		t.Errorf("owners of the template (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"kubectl-create Update"}, s.Owners(t, "ConfigMap", templates, "data", "other")); diff != "" {
		t.Errorf("owners of another key (-want +got):\n%s", diff)
	}
	state, err := newProcess(t, s).Templates().Read(t.Context(), spec.Source)
	if err != nil || state.Content != sample || !slices.Equal(state.Placeholders, []string{"CLIENT_NAME", "CLUSTER_DOMAIN", "EMAIL_ADMIN"}) {
		t.Fatalf("read %v, error %v", state, err)
	}
	putTemplate(t, s, changed, state)
	if diff := cmp.Diff(map[string]string{spec.Source.Key: changed.Content, "other": "1"}, dataOf(t, s)); diff != "" {
		t.Errorf("data after a change (-want +got):\n%s", diff)
	}
	if err := newProcess(t, s).Templates().Delete(t.Context(), spec.Source, owned); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"other": "1"}, dataOf(t, s)); diff != "" {
		t.Errorf("data after the delete (-want +got):\n%s", diff)
	}
	if state, err := newProcess(t, s).Templates().Read(t.Context(), spec.Source); state != nil || err != nil {
		t.Errorf("read %v, error %v after the delete", state, err)
	}
}

// Two templates share a ConfigMap, and a field manager. They are written, and deleted, at the
// same time.
func TestTemplatesAPI_twoKeys(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	specs := make([]mira.TemplateSpec, 6)
	want := make(map[string]string)
	for i := range specs {
		specs[i] = templateSpec(s, sample)
		specs[i].Source.Key = string(rune('a' + i))
		want[specs[i].Source.Key] = sample
	}
	process := newProcess(t, s).Templates()
	together := func(do func(mira.TemplateSpec) error) {
		var all sync.WaitGroup
		for _, spec := range specs {
			all.Go(func() {
				if err := do(spec); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	together(func(spec mira.TemplateSpec) error { _, err := process.Put(t.Context(), spec); return err })
	if diff := cmp.Diff(want, dataOf(t, s)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	specs = specs[1:]
	together(func(spec mira.TemplateSpec) error {
		return process.Delete(t.Context(), spec.Source, mira.DeleteOptions{Namespace: s.Namespace})
	})
	if diff := cmp.Diff(map[string]string{"a": sample}, dataOf(t, s)); diff != "" {
		t.Errorf("data after the deletes (-want +got):\n%s", diff)
	}
}

// What cannot be written is an error of the plan, and changes nothing.
func TestTemplatesAPI_refusals(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	text := map[string]any{mira.DefaultTemplateKey: sample}
	changed := acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
	for _, test := range []struct {
		name    string
		there   map[string]any // of the ConfigMap
		manager string
		content string
		isKind  func(error) bool
		says    string
	}{
		{"another manager", map[string]any{"data": text}, "argocd", changed, is[*mira.TemplateOwnedError], "is owned by argocd"},
		{"an immutable ConfigMap", map[string]any{"data": text, "immutable": true}, "kubectl", changed,
			is[*mira.ImmutableConfigMapError], "immutable"},
		{"binary data", map[string]any{"binaryData": map[string]any{mira.DefaultTemplateKey: "/w=="}}, "kubectl", changed,
			is[*kube.BinaryKeyError], "binaryData"},
		{"a full ConfigMap", map[string]any{"data": map[string]any{"big": strings.Repeat("x", 1<<20-100)}}, "kubectl", changed,
			is[*kube.RejectedError], "Too long"},
		{"a client's ConfigMap",
			map[string]any{"metadata": map[string]any{"name": templates, "labels": map[string]any{mira.ClientLabel: "acme"}}}, "kubectl",
			changed, is[*mira.ForeignObjectError], `belongs to client "acme"`},
		{"a kind that is not allowed", nil, "", sample + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: '%CLIENT_NAME%'}\n",
			is[*mira.TemplateContentError], "Secret"},
		{"an object that the server refuses", nil, "", acctest.Edit(t, sample, "containerPort: 443", "containerPort: 443000"),
			is[*mira.SampleRefusedError], "template line"},
		{"a field that the server does not know", nil, "", acctest.Edit(t, sample, "serviceName:", "servceName: x\n  serviceName:"),
			is[*mira.SampleRefusedError], "servceName"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := acctest.NewSandbox(t)
			s.Rights.GrantTemplates(t)
			if test.there != nil {
				s.Create(t, configMapOf(test.there), test.manager)
			}
			_, err := processAs(t, s.Kubeconfig, false).Templates().Plan(t.Context(), templateSpec(s, test.content), nil)
			if err == nil || !test.isKind(err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v (%T), want one that says %q", err, err, test.says)
			}
			if test.there == nil && s.Exists(t, "ConfigMap", templates) {
				t.Error("the plan has created a ConfigMap")
			}
		})
	}
}

func is[E error](err error) bool {
	var found E
	return errors.As(err, &found)
}

// The account may not write ConfigMaps, or the namespace is not there.
func TestTemplatesAPI_missing(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	spec := templateSpec(s, acctest.SampleTemplate(t))
	_, err := newProcess(t, s).Templates().Plan(t.Context(), spec, nil)
	if !is[*mira.TemplateWriteError](err) || !is[*kube.MissingRightError](err) {
		t.Errorf("without rights: error %v, want a TemplateWriteError that wraps a MissingRightError", err)
	}
	admin := processAs(t, os.Getenv("KUBECONFIG"), true).Templates()
	spec.Source.Namespace = s.Namespace + "-not-there"
	plan, err := admin.Plan(t.Context(), spec, nil)
	if err != nil || len(plan.Warnings) != 1 || plan.Warnings[0] != (mira.TemplateNamespacePendingWarning{Template: spec.Source}) {
		t.Errorf("plan %v, error %v; want a warning that the namespace is not there", plan, err)
	}
	if _, err := admin.Put(t.Context(), spec); !is[*kube.NamespaceNotFoundError](err) {
		t.Errorf("error %v of the apply, want a NamespaceNotFoundError", err)
	}
}

// Without rights on clients the sample client is not dry-run, which is no error.
func TestTemplatesAPI_noRightsOnClients(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	s.Rights.Withdraw(t, "statefulsets", "create", "patch")
	if _, err := newProcess(t, s).Templates().Plan(t.Context(), templateSpec(s, acctest.SampleTemplate(t)), nil); err != nil {
		t.Error(err)
	}
}

// Force takes a template from another manager, and the plan says so.
func TestTemplatesAPI_takenByForce(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	s.Create(t, configMapOf(map[string]any{"data": map[string]any{mira.DefaultTemplateKey: "no template"}}), "argocd")
	spec := templateSpec(s, sample)
	warnings, _ := putTemplate(t, s, spec, nil)
	state, err := newProcess(t, s).Templates().Find(t.Context(), spec.Source)
	if err != nil {
		t.Fatal(err)
	}
	want := []mira.Warning{
		mira.ExistingTemplateWarning{Template: spec.Source, To: state.Revision},
		mira.TemplateTakenWarning{Template: spec.Source, Managers: []string{"argocd"}},
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"terraform-provider-mira Apply"}, s.Owners(t, "ConfigMap", templates, "data", spec.Source.Key)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// Clients that would lose their workload are named, also those of the Django controller. So are
// those that follow a template that is to be deleted. A client that is known to follow another
// template does not count.
func TestTemplatesAPI_clients(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	sample := acctest.SampleTemplate(t)
	spec := templateSpec(s, sample)
	putTemplate(t, s, spec, nil)
	if _, err := newProcess(t, s).Create(t.Context(), specOf(s, "acme"), mira.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	s.DjangoSave(t, sample, "globex", "it@globex.example")
	s.Delete(t, "Ingress", "mira-globex")
	index := strings.Index(sample, "---\napiVersion: apps/v1")
	if index < 0 {
		index = strings.Index(sample, "apiVersion: apps/v1")
	}
	lost := templateSpec(s, sample[:index])
	prior := &mira.TemplateState{Content: sample}
	var loses *mira.LostWorkloadError
	_, err := newProcess(t, s).Templates().Plan(t.Context(), lost, prior)
	if !errors.As(err, &loses) || !slices.Equal(loses.Clients, []string{"acme", "globex"}) {
		t.Errorf("error %v, want a LostWorkloadError of acme and globex", err)
	}
	var uses *mira.TemplateInUseError
	err = newProcess(t, s).Templates().Delete(t.Context(), spec.Source, mira.DeleteOptions{Namespace: s.Namespace})
	if !errors.As(err, &uses) || !slices.Equal(uses.Clients, []string{"acme", "globex"}) {
		t.Errorf("error %v, want a TemplateInUseError of acme and globex", err)
	}
	knows := newProcess(t, s)
	other := spec.Source
	other.Key = "other.yaml"
	knows.AddFollower(s.Namespace, "acme", other)
	err = knows.Templates().Delete(t.Context(), spec.Source, mira.DeleteOptions{Namespace: s.Namespace})
	if !errors.As(err, &uses) || !slices.Equal(uses.Clients, []string{"globex"}) {
		t.Errorf("error %v, want a TemplateInUseError of globex alone", err)
	}
	err = newProcess(t, s).Templates().Delete(t.Context(), spec.Source, mira.DeleteOptions{Namespace: s.Namespace, Force: true})
	if err != nil || len(dataOf(t, s)) > 0 {
		t.Errorf("error %v of a forced delete, left: %v", err, dataOf(t, s))
	}
}

// In one process a client that is pinned to a template is planned with it before it is there.
func TestTemplatesAPI_planTogether(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	spec := templateSpec(s, acctest.SampleTemplate(t))
	process := newProcess(t, s)
	planned, err := process.Templates().Plan(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := specOf(s, "acme")
	client.Revision, client.RereadTemplate = planned.Revision, true
	plan := process.plan(t, client, nil)
	if plan.Unknown || len(plan.Objects) != 3 || plan.Revision != planned.Revision {
		t.Errorf("the client's plan is not known: %+v", plan)
	}
	var missing *mira.TemplateUnavailableError
	if _, err := process.Plan(t.Context(), specOf(s, "globex"), nil); !errors.As(err, &missing) {
		t.Errorf("error %v of a client without a pin, want a TemplateUnavailableError", err)
	}
	applying := newProcess(t, s)
	if _, err := applying.Templates().Plan(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := applying.Templates().Put(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	again := applying.plan(t, client, nil)
	if diff := cmp.Diff(plan.Objects, again.Objects); diff != "" {
		t.Errorf("objects in the plan and in the apply (-plan +apply):\n%s", diff)
	}
}

// A write survives what passes: an answer that is lost, throttling, a leader that changes, and
// another key that is changed at the same moment.
func TestTemplatesAPI_faults(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.Rights.GrantTemplates(t)
	spec := templateSpec(s, acctest.SampleTemplate(t))
	faults := acctest.NewFaults(t, s)
	isWrite := func(r *http.Request) bool { return acctest.IsWrite(r) && strings.Contains(r.URL.Path, "/configmaps/") }
	for _, fault := range acctest.TransientFaults() {
		if fault.Name == "hang" {
			continue // five seconds each, and no other way through the code
		}
		for _, manager := range []string{"", "kubectl-create"} { // a new ConfigMap, and one to take over
			if manager != "" {
				s.Create(t, configMapOf(map[string]any{"data": map[string]any{spec.Source.Key: "x", "other": "1"}}), manager)
			}
			process := newProcess(t, s).Templates()
			faults.Inject(fault, 1, isWrite)
			if _, err := process.Put(t.Context(), spec); err != nil {
				t.Errorf("%s: put over %q: %v", fault.Name, manager, err)
			}
			if got := dataOf(t, s)[spec.Source.Key]; got != spec.Content || faults.Hit() == "" {
				t.Errorf("%s: the template is not written over %q; request %q", fault.Name, manager, faults.Hit())
			}
			faults.Inject(fault, 1, isWrite)
			options := mira.DeleteOptions{Namespace: s.Namespace, IsOwnConfigMap: manager == ""}
			if err := process.Delete(t.Context(), spec.Source, options); err != nil {
				t.Errorf("%s: delete over %q: %v", fault.Name, manager, err)
			}
			if manager != "" {
				if diff := cmp.Diff(map[string]string{"other": "1"}, dataOf(t, s)); diff != "" {
					t.Errorf("%s: data after the delete (-want +got):\n%s", fault.Name, diff)
				}
				s.Delete(t, "ConfigMap", templates)
			}
			if s.Exists(t, "ConfigMap", templates) {
				t.Errorf("%s: the ConfigMap is still there", fault.Name)
			}
		}
	}

	s.Create(t, configMapOf(map[string]any{"data": map[string]any{"other": "1"}}), "kubectl-create")
	faults.Call(func() {
		s.Patch(t, "ConfigMap", templates, "kubectl-patch", `{"data": {"other": "2"}}`)
	}, 1, isWrite)
	if _, err := newProcess(t, s).Templates().Put(t.Context(), spec); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{spec.Source.Key: spec.Content, "other": "2"}, dataOf(t, s)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
