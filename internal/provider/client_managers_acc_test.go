package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// richTemplate is the sample with more of every kind of field, on all three
// objects: scalars that have a default and that have none, keys of maps, items of
// lists that merge, and a list that is one value. The sample drops them all.
func richTemplate(t *testing.T) string {
	t.Helper()
	text := acctest.Edit(t, acctest.SampleTemplate(t),
		"  type: ClusterIP\n", "  type: ClusterIP\n  sessionAffinity: ClientIP\n",
		"  - name: https\n    port: 443\n", "  - name: metrics\n    port: 9090\n    protocol: TCP\n    targetPort: 9090\n  - name: https\n"+
			"    port: 443\n",
		"  annotations:\n", "  annotations:\n    dropped: annotation\n",
		"  ingressClassName: nginx\n", "  ingressClassName: nginx\n  tls:\n  - hosts: [%CLIENT_NAME%.%CLUSTER_DOMAIN%]\n",
		"  replicas: 1\n", "  replicas: 1\n  revisionHistoryLimit: 5\n",
		"        - name: CLIENT_NAME\n", "        - name: DROPPED\n          value: variable\n        - name: CLIENT_NAME\n",
		"      - name: caddy\n", "      - name: exporter\n        image: exporter:1\n      - name: caddy\n",
	)
	for _, kind := range []string{"Service", "StatefulSet"} {
		at := "kind: " + kind + "\nmetadata:\n"
		text = acctest.Edit(t, text, at, at+"  labels:\n    dropped: label\n  annotations:\n    dropped: annotation\n")
	}
	return text
}

// droppedFields are what a plan shows of a client whose template goes from the
// rich one to the sample.
func droppedFields(name string) []string {
	service, ingress, set := "- Service/mira-"+name+" ", "- Ingress/mira-"+name+" ", "- StatefulSet/mira-"+name+" "
	return []string{
		service + "metadata.annotations.dropped: annotation",
		service + "metadata.labels.dropped: label",
		service + "spec.ports[9090,TCP].name: metrics",
		service + "spec.ports[9090,TCP].targetPort: 9090",
		service + "spec.sessionAffinity: ClientIP",
		ingress + "metadata.annotations.dropped: annotation",
		ingress + fmt.Sprintf("spec.tls: [{%q:[%q]}]", "hosts", name+"."+acctest.Domain),
		set + "metadata.annotations.dropped: annotation",
		set + "metadata.labels.dropped: label",
		set + "spec.revisionHistoryLimit: 5",
		set + "spec.template.spec.containers[exporter].image: exporter:1",
		set + "spec.template.spec.containers[mira].env[DROPPED].value: variable",
		"~ StatefulSet/mira-" + name + ` spec.template.spec.containers.order: ["mira","exporter","caddy"] -> ["mira","caddy"]`,
		"~ StatefulSet/mira-" + name + ` spec.template.spec.containers[mira].env.order: ` +
			`["DROPPED","CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL","DATABASE_PATH"] -> ["CLIENT_NAME","ADMIN_EMAIL","PUBLIC_URL","DATABASE_PATH"]`,
	}
}

// likeNew checks that a client's objects are equal to those of client "model", which only
// this provider ever wrote: in every field, whoever owns it, except for names and UIDs.
func likeNew(t *testing.T, s *acctest.Sandbox, name string) error {
	t.Helper()
	content := func(kind, client string) any {
		object := s.Get(t, kind, "mira-"+client).Object
		metadata := object["metadata"].(map[string]any)
		object["metadata"] = map[string]any{"labels": metadata["labels"], "annotations": metadata["annotations"]}
		delete(object, "status")
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			unstructured.RemoveNestedField(object, "spec", field)
		}
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var result any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), client, "CLIENT")), &result); err != nil {
			t.Fatal(err)
		}
		return result
	}
	for _, kind := range []string{"Service", "Ingress", "StatefulSet"} {
		if diff := cmp.Diff(content(kind, "model"), content(kind, name)); diff != "" {
			return fmt.Errorf("%s of client %q is not like one that was always ours (-want +got):\n%s", kind, name, diff)
		}
	}
	return nil
}

// written are the ways in which a client may have been written before this provider
// adopts it. `rich` is what it adopts, and `lean` what a later template has of it.
var written = []struct {
	name  string
	write func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured)
}{
	{"wr-django", func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) {
		s.Save(t, acctest.DjangoManager, rich)
		s.Save(t, acctest.DjangoManager, rich)
	}},
	{"wr-client-side-apply", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "kubectl-client-side-apply", withLastApplied(t, lean))
		s.Save(t, "kubectl-client-side-apply", withLastApplied(t, rich))
	}},
	{"wr-server-side-apply", func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) {
		serverSide(t, s, "kubectl", rich)
	}},
	{"wr-both-applies", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "kubectl-client-side-apply", withLastApplied(t, lean))
		serverSide(t, s, "kubectl", rich)
	}},
	{"wr-kubectl", createdBy("kubectl")},
	{"wr-create", createdBy("kubectl-create")},
	{"wr-expose", createdBy("kubectl-expose")},
	{"wr-edit", changedBy("kubectl-edit")},
	{"wr-patch", changedBy("kubectl-patch")},
	{"wr-annotate", changedBy("kubectl-annotate")},
	{"wr-label", changedBy("kubectl-label")},
	{"wr-set", changedBy("kubectl-set")},
	{"wr-replace", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "kubectl-create", lean)
		s.Replace(t, "kubectl-replace", rich)
	}},
	{"wr-mixed", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "kubectl-create", lean)
		s.Patch(t, "StatefulSet", "mira-wr-mixed", "kubectl-edit",
			`{"spec":{"template":{"spec":{"containers":[{"name":"mira","env":[{"name":"DROPPED","value":"variable"}]}]}}}}`)
		s.Patch(t, "Ingress", "mira-wr-mixed", "kubectl-annotate", `{"metadata":{"annotations":{"dropped":"annotation"}}}`)
		s.Save(t, acctest.DjangoManager, rich)
	}},
	{"wr-other-name", func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) {
		// This provider with another `field_manager`, in a state that is lost.
		for _, object := range rich {
			labels := map[string]string{"app.kubernetes.io/managed-by": "terraform-provider-mira", "mira-cluster.io/client": "wr-other-name"}
			maps.Copy(labels, object.GetLabels())
			object.SetLabels(labels)
		}
		serverSide(t, s, "terraform-of-old", rich)
	}},
	// Terraform's other ways, as their providers leave the managers.
	{"wr-kubernetes-manifest", func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) {
		serverSide(t, s, "Terraform", rich)
	}},
	{"wr-kubectl-manifest", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "HashiCorp", withLastApplied(t, lean))
		s.Save(t, "HashiCorp", withLastApplied(t, rich))
	}},
	{"wr-helm-release", func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "terraform-provider-helm_v2.16.0_x5", ofHelm(lean))
		s.Save(t, "terraform-provider-helm_v2.17.0_x5", ofHelm(rich))
	}},
	{"wr-nobody", func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) {
		// Objects of before Kubernetes 1.18 have no managed fields: whoever applies
		// first leaves all fields to "before-first-apply".
		s.Save(t, acctest.DjangoManager, rich)
		for _, object := range rich {
			s.Disown(t, object.GetKind(), object.GetName())
		}
	}},
}

func createdBy(manager string) func(*testing.T, *acctest.Sandbox, []*unstructured.Unstructured, []*unstructured.Unstructured) {
	return func(t *testing.T, s *acctest.Sandbox, _, rich []*unstructured.Unstructured) { s.Save(t, manager, rich) }
}

func changedBy(manager string) func(*testing.T, *acctest.Sandbox, []*unstructured.Unstructured, []*unstructured.Unstructured) {
	return func(t *testing.T, s *acctest.Sandbox, lean, rich []*unstructured.Unstructured) {
		s.Save(t, "kubectl-create", lean)
		s.Save(t, manager, rich)
	}
}

// withLastApplied adds the copy of the object that `kubectl apply` keeps.
func withLastApplied(t *testing.T, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	var with []*unstructured.Unstructured
	for _, object := range objects {
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object = object.DeepCopy()
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = make(map[string]string)
		}
		annotations["kubectl.kubernetes.io/last-applied-configuration"] = string(data)
		object.SetAnnotations(annotations)
		with = append(with, object)
	}
	return with
}

// ofHelm adds what Helm puts on each object of a release.
func ofHelm(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var of []*unstructured.Unstructured
	for _, object := range objects {
		object = object.DeepCopy()
		labels, annotations := map[string]string{"app.kubernetes.io/managed-by": "Helm"}, map[string]string{
			"meta.helm.sh/release-name": "acme", "meta.helm.sh/release-namespace": "default",
		}
		maps.Copy(labels, object.GetLabels())
		maps.Copy(annotations, object.GetAnnotations())
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
		of = append(of, object)
	}
	return of
}

func serverSide(t *testing.T, s *acctest.Sandbox, manager string, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		s.Apply(t, object, manager)
	}
}

// clients are the resources of several clients, each labelled by its name.
func clients(names []string) string {
	var text string
	for _, name := range names {
		text += client(name, fmt.Sprintf("name = %q", name), `admin_email = "admin@mira.example"`)
	}
	return text
}

func rendered(t *testing.T, template, name string) []*unstructured.Unstructured {
	t.Helper()
	return acctest.Rendered(t, template, name, "admin@mira.example")
}

// Whoever wrote a client: once it is adopted, the fields that a later template drops are
// removed from the live objects. The adoption itself restarts no pod.
func TestAccClient_adoptionFromEveryManager(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean, rich := acctest.SampleTemplate(t), richTemplate(t)
	names := []string{"model"}
	for _, history := range written {
		history.write(t, s, rendered(t, lean, history.name), rendered(t, rich, history.name))
		names = append(names, history.name)
	}
	s.WaitReady(t)
	pods := s.UIDs(t, "Pod")
	allLikeNew := inCluster(func() error {
		var errs []string
		for _, name := range names[1:] {
			if err := likeNew(t, s, name); err != nil {
				errs = append(errs, err.Error())
			}
		}
		if len(errs) > 0 {
			return fmt.Errorf("%s", strings.Join(errs, "\n"))
		}
		return nil
	})
	var drops []plancheck.PlanCheck
	for _, name := range names {
		drops = append(drops, objectChanges("mira_client."+name, droppedFields(name)...))
	}
	s.PutTemplate(t, rich)
	// One of them was left by this provider under another name, in no state.
	config := s.Provider(`adopt = "any"`) + clients(names)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{allLikeNew, inCluster(func() error {
					now := s.UIDs(t, "Pod")
					delete(now, "mira-model-0")
					if diff := cmp.Diff(pods, now); diff != "" {
						return fmt.Errorf("pods were replaced (-before +after):\n%s", diff)
					}
					return nil
				})},
			},
			{
				PreConfig: func() { s.PutTemplate(t, lean) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply:             drops,
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{allLikeNew},
			},
		},
	})
}

// The adoption removes what the template does not have, whoever wrote it. The plan of an
// import shows it.
func TestAccClient_importDropsFieldsOfEveryManager(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	lean, rich := acctest.SampleTemplate(t), richTemplate(t)
	config := s.Provider()
	names := []string{"model"}
	var drops []plancheck.PlanCheck
	var alike []statecheck.StateCheck
	for _, history := range written {
		if history.name == "wr-nobody" {
			continue // nothing in the objects says which of their fields were wanted
		}
		history.write(t, s, rendered(t, lean, history.name), rendered(t, rich, history.name))
		names = append(names, history.name)
		config += fmt.Sprintf("import {\n  to = mira_client.%[1]s\n  id = %[1]q\n}\n", history.name)
		drops = append(drops, fieldDrops{"mira_client." + history.name, droppedFields(history.name)})
		alike = append(alike, inCluster(func() error { return likeNew(t, s, history.name) }))
	}
	s.WaitReady(t)
	s.PutTemplate(t, lean)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config: config + clients(names),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply:             drops,
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
			ConfigStateChecks: alike,
		}},
	})
}

// Neither the plan nor the apply of an adoption fails when a controller writes to the
// object between two of their requests.
func TestAccClient_adoptionWhileControllersWrite(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	djangoClient(t, s, richTemplate(t), "acme", "admin@acme.example")
	s.PutTemplate(t, acctest.SampleTemplate(t))
	var mu sync.Mutex
	crossed := make(map[string]bool)
	s.Intercept(t, func(r *http.Request) {
		var moment string
		switch isSet := strings.HasSuffix(r.URL.Path, "/statefulsets/mira-acme"); {
		case isSet && r.Method == http.MethodPut && r.URL.Query().Has("dryRun"):
			moment = "plan"
		case isSet && r.Header.Get("Content-Type") == string(types.JSONPatchType):
			moment = "apply"
		default:
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !crossed[moment] {
			crossed[moment] = true
			s.Patch(t, "StatefulSet", "mira-acme", "busy-controller", fmt.Sprintf(`{"metadata":{"annotations":{%q:"seen"}}}`, moment))
		}
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{{
			Config:           s.Provider() + acmeClient(),
			ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			Check: func(*terraform.State) error {
				if diff := cmp.Diff(map[string]string{"plan": "seen", "apply": "seen"},
					s.Get(t, "StatefulSet", "mira-acme").GetAnnotations()); diff != "" {
					return fmt.Errorf("annotations (-want +got):\n%s", diff)
				}
				return nil
			},
		}},
	})
}

// fieldDrops is a plan check: of the resource's objects exactly these fields go,
// apart from the notes of kubectl and Helm and what the server had set by default below
// fields that go.
type fieldDrops struct {
	address string
	lines   []string
}

func (c fieldDrops) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, change := range req.Plan.ResourceChanges {
		if change.Address != c.address {
			continue
		}
		changes := acctest.ObjectChanges(change.Change.Before, change.Change.After)
		goes := func(line string) bool { return strings.HasPrefix(line, "- ") }
		got := slices.DeleteFunc(changes, func(line string) bool {
			isNote := strings.Contains(line, "[kubectl.kubernetes.io/last-applied-configuration]") || strings.Contains(line, "[meta.helm.sh/")
			isDefault := strings.Contains(line, "spec.containers[exporter].") || strings.Contains(line, "spec.sessionAffinityConfig.")
			return !goes(line) || isNote || isDefault && !slices.Contains(c.lines, line)
		})
		want := slices.DeleteFunc(slices.Sorted(slices.Values(c.lines)), func(line string) bool { return !goes(line) })
		if diff := cmp.Diff(want, got); diff != "" {
			resp.Error = fmt.Errorf("fields that go from %s (-want +got):\n%s", c.address, diff)
		}
		return
	}
	resp.Error = fmt.Errorf("the plan does not have %s", c.address)
}
