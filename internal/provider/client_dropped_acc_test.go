package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// What a template drops is removed from a client that was applied with another
// field_manager before, whatever was applied in between. Each client has a provider of
// its own.
func TestAccClient_fieldManagerChanged(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean, rich := acctest.SampleTemplate(t), richTemplate(t)
	changes := []struct {
		client, from, to string
		between          bool // an apply under the new name before the drop
		more             string
	}{
		{"another-name", "one", "two", false, ""},
		{"another-name-applied", "one", "two", true, ""},
		{"another-name-without-force", "one", "two", true, "force_conflicts = false"},
		{"default-given-up", "", "two", false, ""},
		{"default-given-up-applied", "", "two", true, ""},
		{"default-taken", "one", "", false, ""},
	}
	config := func(isFormer bool) string {
		var text string
		for _, change := range changes {
			manager := change.to
			if isFormer {
				manager = change.from
			}
			lines := []string{change.more}
			if manager != "" {
				lines = append(lines, fmt.Sprintf("field_manager = %q", manager))
			}
			text += providerOf(change.client, s, lines...) + client(change.client, fmt.Sprintf("name = %q", change.client),
				`admin_email = "admin@mira.example"`,
				"provider = "+change.client, fmt.Sprintf("template = { key = %q }", change.client))
		}
		return text
	}
	first, between := make(map[string]string), make(map[string]string)
	last := map[string]string{"client_template.yaml": lean}
	var names []string
	var drops []plancheck.PlanCheck
	var alike []statecheck.StateCheck
	for _, change := range changes {
		names = append(names, change.client)
		first[change.client], between[change.client], last[change.client] = rich, rich, lean
		if change.between {
			first[change.client] = acctest.Edit(t, rich, "mira:3.0", "mira:2.9")
		}
		drops = append(drops, objectChanges("mira_client."+change.client, droppedFields(change.client)...))
		alike = append(alike, inCluster(func() error { return likeNew(t, s, change.client) }))
	}
	put := func(templates map[string]string) func() {
		return func() { s.PutConfigMap(t, "templates-yaml", templates) }
	}
	empty := []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: providersOf(names),
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{PreConfig: put(first), Config: config(true)},
			// Another name alone changes no object.
			{Config: config(false), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: empty}},
			{PreConfig: put(between), Config: config(false), ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: empty}},
			{
				PreConfig:         put(last),
				Config:            config(false) + s.Provider() + clients([]string{"model"}),
				ConfigPlanChecks:  resource.ConfigPlanChecks{PreApply: drops, PostApplyPostRefresh: empty},
				ConfigStateChecks: alike,
			},
		},
	})
}

// A field that the template drops is removed although it was edited by hand after the
// adoption: where the template has said the same in between, and where nothing was
// applied in between.
func TestAccClient_droppedAfterEditsByHand(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean, rich := acctest.SampleTemplate(t), richTemplate(t)
	hands := map[string]func(t *testing.T, name string){
		"by-django": func(t *testing.T, name string) { s.Save(t, acctest.DjangoManager, rendered(t, rich, name)) },
		"by-ssa":    func(t *testing.T, name string) { serverSide(t, s, "kubectl", rendered(t, rich, name)) },
		"by-csa": func(t *testing.T, name string) {
			s.Save(t, "kubectl-client-side-apply", rendered(t, rich, name))
		},
	}
	for _, verb := range []string{"annotate", "edit", "label", "patch", "set"} {
		hands["by-"+verb] = func(t *testing.T, name string) { s.Save(t, "kubectl-"+verb, rendered(t, rich, name)) }
	}
	names := append(slices.Sorted(maps.Keys(hands)), "model")
	var drops []plancheck.PlanCheck
	var alike []statecheck.StateCheck
	for _, name := range names {
		drops = append(drops, objectChanges("mira_client."+name, droppedFields(name)...))
		alike = append(alike, inCluster(func() error { return likeNew(t, s, name) }))
	}
	s.PutTemplate(t, lean)
	config := s.Provider() + clients(names)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					for name, write := range hands {
						write(t, name)
					}
					// Another image has every client applied.
					s.PutTemplate(t, acctest.Edit(t, rich, "mira:3.0", "mira:3.1"))
				},
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error {
					// Without two owners of a field the test would prove nothing.
					for name := range hands {
						if owners := s.Owners(t, "StatefulSet", "mira-"+name, "metadata", "annotations", "dropped"); len(owners) != 2 {
							return fmt.Errorf("the annotation of client %q belongs to %v", name, owners)
						}
					}
					return nil
				})},
			},
			{
				PreConfig: func() { s.PutTemplate(t, acctest.Edit(t, lean, "mira:3.0", "mira:3.1")) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             drops,
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: alike,
			},
		},
	})
}

// A value that was changed by hand, and then got into the template without an apply in
// between, is removed when the template drops it.
func TestAccClient_droppedAfterTheTemplateCaughtUp(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean, rich := acctest.SampleTemplate(t), richTemplate(t)
	caughtUp := acctest.Edit(t, rich, "value: variable", "value: tuned", "dropped: annotation", "dropped: tuned")
	names := []string{"by-edit", "by-ssa"}
	var drops []plancheck.PlanCheck
	var alike []statecheck.StateCheck
	for _, name := range names {
		lines := droppedFields(name)
		for i, line := range lines {
			line = strings.Replace(line, ".value: variable", ".value: tuned", 1)
			lines[i] = strings.Replace(line, "dropped: annotation", "dropped: tuned", 1)
		}
		drops = append(drops, objectChanges("mira_client."+name, lines...))
		alike = append(alike, inCluster(func() error { return likeNew(t, s, name) }))
	}
	s.PutTemplate(t, rich)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: s.Provider() + clients(names)},
			{
				PreConfig: func() {
					s.Save(t, "kubectl-edit", rendered(t, caughtUp, "by-edit"))
					serverSide(t, s, "kubectl", rendered(t, caughtUp, "by-ssa"))
					s.PutTemplate(t, caughtUp)
				},
				Config:           s.Provider() + clients(names),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{
				PreConfig: func() { s.PutTemplate(t, lean) },
				Config:    s.Provider() + clients(append(names, "model")),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             drops,
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: alike,
			},
		},
	})
}

// A field that another manager owns as well stays when the template drops it, and a
// warning of the plan names the field and the manager. What only the provider owns is
// removed. The plan is empty afterwards.
func TestAccClient_droppedFieldsStay(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean := acctest.SampleTemplate(t)
	s.PutTemplate(t, lean)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	c.Plan(t)
	c.ApplyPlan(t)

	s.Apply(t, object(t, `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"mira-acme",`+
		`"annotations":{"dropped":"annotation"}}}`), "argocd-controller")
	s.Patch(t, "StatefulSet", "mira-acme", "sidecar-injector",
		`{"spec":{"template":{"spec":{"containers":[{"name":"mira","env":[{"name":"DROPPED","value":"variable"}]}]}}}}`)
	s.PutTemplate(t, richTemplate(t))
	acctest.WantNoWarning(t, c.Plan(t).Warnings, stayWarning)
	acctest.WantNoWarning(t, c.ApplyPlan(t), stayWarning)

	s.PutTemplate(t, lean)
	dropping := c.Plan(t)
	acctest.WantWarning(t, dropping.Warnings, stayWarning+": ", "Ingress/mira-acme", "metadata.annotations.dropped", "argocd-controller",
		"StatefulSet/mira-acme", "spec.template.spec.containers[mira].env[DROPPED].value", "sidecar-injector")
	acctest.WantWarning(t, dropping.Warnings, `Dropped Fields Get Default Values (Client "acme"): `,
		`~ Service/mira-acme spec.sessionAffinity: "ClientIP" -> "None"`, `~ StatefulSet/mira-acme spec.revisionHistoryLimit: "5" -> "10"`)
	for _, warning := range dropping.Warnings {
		if strings.HasPrefix(warning, "Dropped Fields Get Default Values") {
			continue
		}
		if strings.Contains(warning, "Service/mira-acme") || strings.Contains(warning, "containers[exporter]") || strings.Contains(warning,
			"spec.tls") {
			t.Errorf("the plan warns of fields that only the provider owns:\n%s", warning)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(droppedFields("acme"))), dropping.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	c.ApplyPlan(t)
	left := c.Plan(t)
	if left.Action != "no-op" {
		t.Errorf("after the drop, a plan would %s:\n%s", left.Action, strings.Join(left.Changes, "\n"))
	}
	acctest.WantNoWarning(t, left.Warnings, stayWarning)

	if got := s.Get(t, "Ingress", "mira-acme").GetAnnotations()["dropped"]; got != "annotation" {
		t.Errorf("the annotation that argocd-controller owns is %q", got)
	}
	if got := s.Get(t, "StatefulSet", "mira-acme").GetAnnotations(); got["dropped"] != "" {
		t.Errorf("annotations of the StatefulSet, which nobody else owned: %v", got)
	}
	for field, owners := range map[string][]string{
		"argocd-controller Apply": s.Owners(t, "Ingress", "mira-acme", "metadata", "annotations", "dropped"),
		"sidecar-injector Update": s.Owners(t, "StatefulSet", "mira-acme", "spec", "template", "spec", "containers",
			fieldpath.KeyByFields("name", "mira"),
			"env", fieldpath.KeyByFields("name", "DROPPED"), "value"),
	} {
		if diff := cmp.Diff([]string{field}, owners); diff != "" {
			t.Errorf("owners after the drop (-want +got):\n%s", diff)
		}
	}
	c.Destroy(t)
}

const stayWarning = "Dropped Fields Stay"

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// What controllers wrote keeps its value and its owner through an adoption, an update,
// and a template that drops fields. Pods restart only for the update.
func TestAccClient_controllersFields(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	// An autoscaler sets the replicas, so the template does not.
	lean, rich := acctest.Edit(t, acctest.SampleTemplate(t), "  replicas: 1\n", ""), acctest.Edit(t, richTemplate(t), "  replicas: 1\n", "")
	s.PutTemplate(t, rich)
	const name = "mira-acme"
	djangoClient(t, s, rich, "acme", "admin@acme.example")
	s.PatchSubresource(t, "StatefulSet", name, "scale", "kube-controller-manager", `{"spec":{"replicas":2}}`)
	s.PatchSubresource(t, "Ingress", name, "status", "nginx-ingress-controller",
		`{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`)
	s.Patch(t, "Ingress", name, "cert-manager-ingressshim",
		`{"metadata":{"annotations":{"cert-manager.io/issuer-name":"letsencrypt"},"labels":{"cert-manager.io/managed":"yes"}}}`)
	s.Patch(t, "StatefulSet", name, "kubectl-rollout",
		`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`)
	s.WaitReady(t)

	theirs := func() error {
		var errs []string
		want := func(what string, want, got any) {
			if diff := cmp.Diff(want, got); diff != "" {
				errs = append(errs, fmt.Sprintf("%s (-want +got):\n%s", what, diff))
			}
		}
		set, ingress := s.Get(t, "StatefulSet", name), s.Get(t, "Ingress", name)
		replicas, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas")
		want("replicas", int64(2), replicas)
		want("owners of replicas", []string{"kube-controller-manager Update scale"}, s.Owners(t, "StatefulSet", name, "spec", "replicas"))

		restarted := []string{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}
		at, _, _ := unstructured.NestedString(set.Object, restarted...)
		want("restartedAt", "2026-01-01T00:00:00Z", at)
		want("owners of restartedAt", []string{"kubectl-rollout Update"}, s.Owners(t, "StatefulSet", name, anys(restarted)...))

		want("annotation of cert-manager", "letsencrypt", ingress.GetAnnotations()["cert-manager.io/issuer-name"])
		want("owners of the annotation", []string{"cert-manager-ingressshim Update"},
			s.Owners(t, "Ingress", name, "metadata", "annotations", "cert-manager.io/issuer-name"))
		want("label of cert-manager", "yes", ingress.GetLabels()["cert-manager.io/managed"])
		want("owners of the label", []string{"cert-manager-ingressshim Update"},
			s.Owners(t, "Ingress", name, "metadata", "labels", "cert-manager.io/managed"))

		addresses, _, _ := unstructured.NestedSlice(ingress.Object, "status", "loadBalancer", "ingress")
		want("addresses of the Ingress", []any{map[string]any{"ip": "192.0.2.1"}}, addresses)
		want("owners of the addresses", []string{"nginx-ingress-controller Update status"},
			s.Owners(t, "Ingress", name, "status", "loadBalancer", "ingress"))

		want("managers of the StatefulSet", []string{"kube-controller-manager Update scale", "kube-controller-manager Update status",
			"kubectl-rollout Update", "terraform-provider-mira Apply"},
			s.Managers(t, "StatefulSet", name))
		want("managers of the Ingress", []string{"cert-manager-ingressshim Update", "nginx-ingress-controller Update status",
			"terraform-provider-mira Apply"}, s.Managers(t, "Ingress", name))
		want("managers of the Service", []string{"terraform-provider-mira Apply"}, s.Managers(t, "Service", name))
		if len(errs) > 0 {
			return fmt.Errorf("%s", strings.Join(errs, "\n"))
		}
		return nil
	}
	pods := s.UIDs(t, "Pod")
	config := s.Provider() + acmeClient()
	empty := resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:            config,
				ConfigPlanChecks:  empty,
				ConfigStateChecks: []statecheck.StateCheck{inCluster(theirs), inCluster(func() error { return samePods(t, s, pods) })},
			},
			{
				PreConfig: func() {
					s.PutTemplate(t, acctest.Edit(t, rich, "mira:3.0", "mira:3.1", "dropped: annotation", "dropped: not yet"))
				},
				Config:            config,
				ConfigPlanChecks:  empty,
				ConfigStateChecks: []statecheck.StateCheck{inCluster(theirs)},
			},
			{
				PreConfig:         func() { s.PutTemplate(t, lean) },
				Config:            config,
				ConfigPlanChecks:  empty,
				ConfigStateChecks: []statecheck.StateCheck{inCluster(theirs)},
			},
		},
	})
}

func anys(texts []string) []any {
	var all []any
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}
