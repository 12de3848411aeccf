package provider

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// byClient returns the lines of a case with the name of its client in place of NAME. Each
// case has a client of its own, so that one plan tests all cases.
func byClient(client string, lines []string) []string {
	var own []string
	for _, line := range lines {
		// CLIENT_NAME is a variable of the sample template.
		own = append(own, strings.NewReplacer("CLIENT_NAME", "CLIENT_NAME", "NAME", client).Replace(line))
	}
	return own
}

// The plan shows exactly what was changed by hand on a client's objects, and an apply
// repairs it.
func TestAccClient_drift(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	const container = `{"spec":{"template":{"spec":{"containers":[{"name":"mira",%s}]}}}}`
	replicas := func(object string, replicas int) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": object},
			"spec": map[string]any{"replicas": int64(replicas)},
		}}
	}
	drifts := []struct {
		client  string
		byHand  func(object string)
		changes []string
	}{
		{
			"image-set",
			func(object string) {
				s.Patch(t, "StatefulSet", object, "kubectl-set", fmt.Sprintf(container, `"image":"mira:2.9"`))
			},
			[]string{"~ StatefulSet/mira-NAME " + image + ": mira:2.9 -> mira:3.0"},
		},
		{
			"variable-changed",
			func(object string) {
				s.Patch(t, "StatefulSet", object, "kubectl-edit", fmt.Sprintf(container, `"env":[{"name":"ADMIN_EMAIL","value":"x@y.example"}]`))
			},
			[]string{"~ StatefulSet/mira-NAME spec.template.spec.containers[mira].env[ADMIN_EMAIL].value: x@y.example -> admin@mira.example"},
		},
		{
			"variable-deleted",
			func(object string) {
				s.Patch(t, "StatefulSet", object, "kubectl-edit", fmt.Sprintf(container, `"env":[{"name":"DATABASE_PATH","$patch":"delete"}]`))
			},
			[]string{
				"+ StatefulSet/mira-NAME spec.template.spec.containers[mira].env[DATABASE_PATH].value: /var/lib/mira/mira.sqlite3",
				`~ StatefulSet/mira-NAME spec.template.spec.containers[mira].env.order: ["CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL"] -> ` +
					`["CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL","DATABASE_PATH"]`,
			},
		},
		{
			"annotation-deleted",
			func(object string) {
				s.Patch(t, "Ingress", object, "kubectl-edit", `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":null}}}`)
			},
			[]string{"+ Ingress/mira-NAME metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]: true"},
		},
		{
			// kubectl apply --server-side --force-conflicts
			"taken-by-kubectl",
			func(object string) { s.Apply(t, replicas(object, 2), "kubectl") },
			[]string{"~ StatefulSet/mira-NAME spec.replicas: 2 -> 1"},
		},
		{
			"taken-by-somebody",
			func(object string) { s.Apply(t, replicas(object, 0), "somebody") },
			[]string{"~ StatefulSet/mira-NAME spec.replicas: 0 -> 1"},
		},
		{
			// That leaves the field to no manager.
			"scaled-to-zero",
			func(object string) { s.Scale(t, object, 0) },
			[]string{"~ StatefulSet/mira-NAME spec.replicas: 0 -> 1"},
		},
		{
			"ingress-deleted",
			func(object string) { s.Delete(t, "Ingress", object) },
			[]string{"+ Ingress/mira-NAME"},
		},
		{
			"set-deleted",
			func(object string) { s.Delete(t, "StatefulSet", object) },
			[]string{"+ StatefulSet/mira-NAME"},
		},
		{
			"ingress-made-anew",
			func(object string) {
				s.DeleteAndCreate(t, "Ingress", object, "kubectl-create", map[string]string{passthrough: "true", "extra": "by hand"})
			},
			[]string{
				"+ Ingress/mira-NAME metadata.labels[app.kubernetes.io/managed-by]: terraform-provider-mira",
				"+ Ingress/mira-NAME metadata.labels[mira-cluster.io/client]: NAME",
			},
		},
		{
			"set-made-anew",
			func(object string) { s.DeleteAndCreate(t, "StatefulSet", object, "kubectl-create", nil) },
			[]string{
				"+ StatefulSet/mira-NAME metadata.labels[app.kubernetes.io/managed-by]: terraform-provider-mira",
				"+ StatefulSet/mira-NAME metadata.labels[mira-cluster.io/client]: NAME",
			},
		},
		{
			"selector-extended",
			func(object string) {
				s.Patch(t, "Service", object, "kubectl-patch", `{"spec":{"selector":{"extra":"label"}}}`)
			},
			[]string{`~ Service/mira-NAME spec.selector: {"app":"mira","client":"NAME","extra":"label"} -> {"app":"mira","client":"NAME"}`},
		},
		{
			"variables-swapped",
			func(object string) {
				edit(t, s, object, "kubectl-edit", func(pod map[string]any) {
					env := miraContainer(t, pod)["env"].([]any)
					env[0], env[2] = env[2], env[0]
				})
			},
			[]string{`~ StatefulSet/mira-NAME spec.template.spec.containers[mira].env.order: ` +
				`["PUBLIC_URL","ADMIN_EMAIL","CLIENT_NAME","DATABASE_PATH"] -> ["CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL","DATABASE_PATH"]`},
		},
		{
			"containers-swapped",
			func(object string) {
				edit(t, s, object, "somebody", func(pod map[string]any) { slices.Reverse(pod["containers"].([]any)) })
			},
			[]string{`~ StatefulSet/mira-NAME spec.template.spec.containers.order: ["caddy","mira"] -> ["mira","caddy"]`},
		},
		{
			// kubectl patch --type=json with an "add" to the end of the list
			"variable-twice",
			func(object string) {
				edit(t, s, object, "kubectl-patch", func(pod map[string]any) {
					mira := miraContainer(t, pod)
					mira["env"] = append(mira["env"].([]any), map[string]any{"name": "ADMIN_EMAIL", "value": "mallory@evil.example"})
				})
			},
			[]string{
				"~ StatefulSet/mira-NAME spec.template.spec.containers[mira].env[ADMIN_EMAIL].value: mallory@evil.example -> admin@mira.example",
				`- StatefulSet/mira-NAME spec.template.spec.containers[mira].env[ADMIN_EMAIL][1]: ` +
					`{"name":"ADMIN_EMAIL","value":"admin@mira.example"}`,
			},
		},
		{
			"port-twice",
			func(object string) {
				edit(t, s, object, "somebody", func(pod map[string]any) {
					mira := miraContainer(t, pod)
					mira["ports"] = append(mira["ports"].([]any), map[string]any{"containerPort": int64(8000), "protocol": "TCP", "name": "other"})
				})
			},
			[]string{
				"~ StatefulSet/mira-NAME spec.template.spec.containers[mira].ports[8000,TCP].name: other -> app",
				`- StatefulSet/mira-NAME spec.template.spec.containers[mira].ports[8000,TCP][1]: ` +
					`{"containerPort":8000,"name":"app","protocol":"TCP"}`,
			},
		},
	}
	harmless := []struct {
		client string
		byHand func(object string)
	}{
		{"label-of-others", func(object string) {
			s.Patch(t, "Service", object, "cost-controller", `{"metadata":{"labels":{"cost-centre":"42"}}}`)
		}},
		{"sidecar-first", func(object string) {
			edit(t, s, object, "mesh", func(pod map[string]any) {
				pod["containers"] = append([]any{map[string]any{"name": "mesh", "image": "mesh:1"}}, pod["containers"].([]any)...)
				mira := miraContainer(t, pod)
				mira["env"] = append([]any{map[string]any{"name": "MESH", "value": "1"}}, mira["env"].([]any)...)
			})
		}},
		{"written-anew", func(object string) {
			s.DjangoSave(t, sample, strings.TrimPrefix(object, "mira-"), "admin@mira.example")
		}},
	}
	var names []string
	var shown []plancheck.PlanCheck
	for _, drift := range drifts {
		address := "mira_client." + drift.client
		names = append(names, drift.client)
		shown = append(shown, plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
			objectChanges(address, byClient(drift.client, drift.changes)...))
	}
	for _, hand := range harmless {
		names = append(names, hand.client)
		shown = append(shown, plancheck.ExpectResourceAction("mira_client."+hand.client, plancheck.ResourceActionNoop))
	}
	config := s.Provider() + clients(names)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					for _, drift := range drifts {
						drift.byHand("mira-" + drift.client)
					}
					for _, hand := range harmless {
						hand.byHand("mira-" + hand.client)
					}
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             shown,
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// edit writes a StatefulSet with a changed pod template, as a field manager.
func edit(t *testing.T, s *acctest.Sandbox, object, manager string, change func(pod map[string]any)) {
	t.Helper()
	set := s.Get(t, "StatefulSet", object)
	pod, _, err := unstructured.NestedFieldNoCopy(set.Object, "spec", "template", "spec")
	if err != nil {
		t.Fatal(err)
	}
	change(pod.(map[string]any))
	s.Replace(t, manager, []*unstructured.Unstructured{set})
}

// miraContainer returns the application's container of a pod template.
func miraContainer(t *testing.T, pod map[string]any) map[string]any {
	t.Helper()
	for _, item := range pod["containers"].([]any) {
		if container := item.(map[string]any); container["name"] == "mira" {
			return container
		}
	}
	t.Fatal("no container mira")
	return nil
}

// The plan shows exactly what was changed in the template, and so it does when the change
// is reverted.
func TestAccClient_templateChanges(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	const pods = "StatefulSet/mira-NAME spec.template.spec."
	before, after := make(map[string]string), make(map[string]string)
	config := s.Provider()
	var there, back []plancheck.PlanCheck
	for _, change := range []struct {
		client string
		edit   [2]string
		lines  []string
	}{
		{"image", [2]string{"mira:3.0", "mira:3.1"}, []string{"~ " + pods + "containers[mira].image: mira:3.0 -> mira:3.1"}},
		{
			"container",
			[2]string{"      - name: caddy\n", "      - name: metrics\n        image: metrics:1\n      - name: caddy\n"},
			[]string{
				"+ " + pods + "containers[metrics].image: metrics:1",
				"~ " + pods + `containers.order: ["mira","caddy"] -> ["mira","metrics","caddy"]`,
			},
		},
		{
			"variable",
			[2]string{"value: /var/lib/mira/mira.sqlite3", "value: /var/lib/mira/other.sqlite3"},
			[]string{"~ " + pods + "containers[mira].env[DATABASE_PATH].value: /var/lib/mira/mira.sqlite3 -> /var/lib/mira/other.sqlite3"},
		},
		{
			"order",
			[2]string{
				"        - name: CLIENT_NAME\n          value: %CLIENT_NAME%\n        - name: ADMIN_EMAIL\n          value: %EMAIL_ADMIN%\n",
				"        - name: ADMIN_EMAIL\n          value: %EMAIL_ADMIN%\n        - name: CLIENT_NAME\n          value: %CLIENT_NAME%\n",
			},
			[]string{"~ " + pods + `containers[mira].env.order: ["CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL","DATABASE_PATH"] -> ` +
				`["ADMIN_EMAIL","CLIENT_NAME","PUBLIC_URL","DATABASE_PATH"]`},
		},
		{
			"annotation",
			[2]string{"    nginx.ingress.kubernetes.io/ssl-passthrough: \"true\"\n", ""},
			[]string{"- Ingress/mira-NAME metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]: true"},
		},
	} {
		address, lines := "mira_client."+change.client, byClient(change.client, change.lines)
		before[change.client], after[change.client] = sample, acctest.Edit(t, sample, change.edit[0], change.edit[1])
		config += client(change.client, fmt.Sprintf("name = %q", change.client), `admin_email = "admin@mira.example"`,
			fmt.Sprintf("template = { key = %q }", change.client))
		there = append(there, plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate), objectChanges(address, lines...))
		back = append(back, plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate), objectChanges(address, reversed(lines)...))
	}
	step := func(templates map[string]string, shown []plancheck.PlanCheck) resource.TestStep {
		return resource.TestStep{
			PreConfig: func() { s.PutConfigMap(t, "templates-yaml", templates) },
			Config:    config,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply:             shown,
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps:                    []resource.TestStep{step(before, nil), step(after, there), step(before, back), step(after, there)},
	})
}

// reversed returns the lines of the opposite change.
func reversed(lines []string) []string {
	var opposite []string
	for _, line := range lines {
		switch line[0] {
		case '~':
			path, values, _ := strings.Cut(line, ": ")
			old, now, _ := strings.Cut(values, " -> ")
			line = path + ": " + now + " -> " + old
		case '+':
			line = "-" + line[1:]
		default:
			line = "+" + line[1:]
		}
		opposite = append(opposite, line)
	}
	return opposite
}

// A client whose objects are all gone is created again; one whose StatefulSet
// was deleted with its pods left gets it back around them.
func TestAccClient_goneByHand(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
						s.Delete(t, kind, "mira-acme")
					}
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionCreate)},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// A plan that needs an object of another client is an error, and deleting a client does
// not delete what others have created in place of its objects.
func TestAccClient_foreignObjects(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy: func(*terraform.State) error {
			if !s.Exists(t, "Service", "mira-acme") {
				return fmt.Errorf("the Service of another client was deleted")
			}
			if s.Exists(t, "StatefulSet", "mira-acme") {
				return fmt.Errorf("the client's own StatefulSet was not deleted")
			}
			return nil
		},
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					s.Patch(t, "Service", "mira-acme", "kubectl-edit", `{"metadata":{"labels":{"mira-cluster.io/client":"globex"}}}`)
				},
				Config:      config,
				PlanOnly:    true,
				ExpectError: acctest.Message(`belongs to client "globex"`),
			},
		},
	})
}

// A client that is taken out of the configuration is deleted although its
// template is gone by then. Its claim is kept.
func TestAccClient_deletedWithoutTemplate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{
			{Config: s.Provider() + acmeClient()},
			{
				PreConfig: func() { s.Delete(t, "ConfigMap", "templates-yaml") },
				Config:    s.Provider(),
				Check: func(*terraform.State) error {
					if !s.Exists(t, "PersistentVolumeClaim", "mira-data-mira-acme-0") {
						return fmt.Errorf("the claim is gone")
					}
					return noneLeft(t, s)(nil)
				},
			},
		},
	})
}
