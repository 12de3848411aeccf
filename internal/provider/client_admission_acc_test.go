package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

const (
	plannedWarning = "Admission Changes Fields"
	storedWarning  = "Server Changed Applied Fields"

	passthrough = "nginx.ingress.kubernetes.io/ssl-passthrough"

	// firstImage is that of container mira.
	firstImage = "/spec/template/spec/containers/0/image"
	// mirrorImage is a registry mirror: it may see its own work again.
	mirrorImage = `object.spec.template.spec.containers[0].image.startsWith("mirror.example/") ? [] :
[JSONPatch{op: "replace", path: "` + firstImage + `", value: "mirror.example/" + object.spec.template.spec.containers[0].image}]`
)

// While an admission policy changes what is written, a client is created and updated,
// and the plan is empty afterwards. A warning names the fields of the template that the
// policy changes, and no others. Each case is a client of its own.
func TestAccClient_mutatingAdmission(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	newImage := "~ StatefulSet/mira-NAME " + image + ": mira:3.0 -> mira:3.1"
	cases := []struct {
		client    string
		resource  string
		patch     string
		condition string
		// warned are words of the warning of a plan that changes the field.
		warned []string
		// changes are what the second plan, that of another template, is to show.
		changes []string
		check   func(t *testing.T, client string, planned map[string]any)
	}{
		{
			client: "mirrored", resource: "statefulsets", patch: mirrorImage,
			warned:  []string{"StatefulSet/mira-NAME", image, "mira:3.0", "mirror.example/mira:3.0"},
			changes: []string{"~ StatefulSet/mira-NAME " + image + ": mirror.example/mira:3.0 -> mirror.example/mira:3.1"},
			check: func(t *testing.T, client string, planned map[string]any) {
				if diff := cmp.Diff(map[string]any{"mira": "mirror.example/mira:3.1", "caddy": "caddy:2.8"}, planned["images"]); diff != "" {
					t.Errorf("images (-want +planned):\n%s", diff)
				}
				if err := s.CheckPodImage(t, "mira-"+client+"-0", "mirror.example/mira:3.1"); err != nil {
					t.Error(err)
				}
			},
		},
		{
			client: "labelled", resource: "services",
			patch:   `[JSONPatch{op: "add", path: "/metadata/labels/cost-centre", value: "42"}]`,
			changes: []string{newImage},
			check: func(t *testing.T, client string, _ map[string]any) {
				if got := s.Get(t, "Service", "mira-"+client).GetLabels()["cost-centre"]; got != "42" {
					t.Errorf("the policy's label is %q", got)
				}
			},
		},
		{
			client: "injected", resource: "statefulsets",
			patch: `object.spec.template.spec.containers.exists(c, c.name == "mesh") ? [] :
[JSONPatch{op: "add", path: "/spec/template/spec/containers/-",
   value: Object.spec.template.spec.containers{name: "mesh", image: "mesh:1"}}]`,
			changes: []string{newImage},
			check: func(t *testing.T, client string, planned map[string]any) {
				containers, _, _ := unstructured.NestedSlice(s.Get(t, "Pod", "mira-"+client+"-0").Object, "spec", "containers")
				if len(containers) != 3 {
					t.Errorf("the pod has %d containers, want 3", len(containers))
				}
				if images := planned["images"].(map[string]any); images["mesh"] != nil {
					t.Errorf("images has the policy's container: %v", images)
				}
			},
		},
		{
			client: "stripped", resource: "ingresses",
			patch: `has(object.metadata.annotations) && "` + passthrough + `" in object.metadata.annotations ?
[JSONPatch{op: "remove", path: "/metadata/annotations/" + jsonpatch.escapeKey("` + passthrough + `")}] : []`,
			warned:  []string{"Ingress/mira-NAME", "metadata.annotations[" + passthrough + "]", "true"},
			changes: []string{"+ Ingress/mira-NAME metadata.annotations.added: later", newImage},
			check: func(t *testing.T, client string, _ map[string]any) {
				annotations := s.Get(t, "Ingress", "mira-"+client).GetAnnotations()
				if _, ok := annotations[passthrough]; ok || annotations["added"] != "later" {
					t.Errorf("annotations: %v", annotations)
				}
			},
		},
		{
			// The map is owned whole.
			client: "selecting", resource: "services",
			patch:   `[JSONPatch{op: "add", path: "/spec/selector/track", value: "stable"}]`,
			warned:  []string{"Service/mira-NAME", "spec.selector", "track"},
			changes: []string{newImage},
			check: func(t *testing.T, client string, _ map[string]any) {
				if got, _, _ := unstructured.NestedString(s.Get(t, "Service", "mira-"+client).Object, "spec", "selector", "track"); got != "stable" {
					t.Errorf("the policy's key in the selector is %q", got)
				}
			},
		},
		{
			client: "born-labelled", resource: "services", condition: `request.operation == "CREATE"`,
			patch:   `[JSONPatch{op: "add", path: "/metadata/labels/cost-centre", value: "42"}]`,
			changes: []string{newImage},
			check: func(t *testing.T, client string, _ map[string]any) {
				if got := s.Get(t, "Service", "mira-"+client).GetLabels()["cost-centre"]; got != "42" {
					t.Errorf("the policy's label is %q", got)
				}
			},
		},
		{
			// An immutable field.
			client: "born-governed", resource: "statefulsets", condition: `request.operation == "CREATE"`,
			patch:   `[JSONPatch{op: "replace", path: "/spec/serviceName", value: "governed"}]`,
			warned:  []string{"StatefulSet/mira-NAME", "spec.serviceName", "mira", "governed"},
			changes: []string{newImage},
			check: func(t *testing.T, client string, _ map[string]any) {
				if got, _, _ := unstructured.NestedString(s.Get(t, "StatefulSet", "mira-"+client).Object, "spec", "serviceName"); got != "governed" {
					t.Errorf("serviceName is %q", got)
				}
			},
		},
		{
			client: "readdressed", resource: "ingresses",
			patch:   `[JSONPatch{op: "replace", path: "/spec/rules/0/host", value: "acme.proxy.example"}]`,
			warned:  []string{"Ingress/mira-NAME", "spec.rules", "NAME." + acctest.Domain, "acme.proxy.example"},
			changes: []string{"+ Ingress/mira-NAME metadata.annotations.added: later", newImage},
			check: func(t *testing.T, _ string, planned map[string]any) {
				if planned["url"] != "https://acme.proxy.example" {
					t.Errorf("url is %v, and the client answers at https://acme.proxy.example", planned["url"])
				}
			},
		},
	}
	patches := make(map[string]string)
	first, second := make(map[string]string), make(map[string]string)
	config := s.Provider()
	for _, test := range cases {
		// By the beginning of the name: a dry run may go by a longer one.
		condition := fmt.Sprintf("object.metadata.name.startsWith(%q)", "mira-"+test.client)
		if test.condition != "" {
			condition += " && " + test.condition
		}
		patches[test.resource] += "(" + condition + ") ? (" + test.patch + ") : "
		first[test.client], second[test.client] = sample, acctest.Edit(t, sample, "mira:3.0", "mira:3.1")
		if test.resource == "ingresses" {
			second[test.client] = acctest.Edit(t, second[test.client], "  annotations:\n", "  annotations:\n    added: later\n")
		}
		config += client(test.client, fmt.Sprintf("name = %q", test.client), `admin_email = "admin@mira.example"`,
			fmt.Sprintf("template = { key = %q }", test.client))
	}
	for resource, patch := range patches {
		s.Admission.Mutate(t, resource, patch+"[]")
	}
	s.PutConfigMap(t, "templates-yaml", first)
	c := acctest.NewCLI(t, s, config)

	_, created := c.PlanAll(t)
	for _, test := range cases {
		wantAdmission(t, created[test.client].Warnings, byClient(test.client, test.warned))
	}
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning)
	wantNothingToDo(t, c)

	s.PutConfigMap(t, "templates-yaml", second)
	_, updated := c.PlanAll(t)
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning)
	wantNothingToDo(t, c)
	for _, test := range cases {
		t.Run(test.client, func(t *testing.T) {
			if diff := cmp.Diff(byClient(test.client, test.changes), updated[test.client].Changes); diff != "" {
				t.Errorf("changes of the update (-want +got):\n%s", diff)
			}
			test.check(t, test.client, updated[test.client].After)
		})
	}
	c.Destroy(t)
}

func wantAdmission(t *testing.T, warnings, words []string) {
	t.Helper()
	if words == nil {
		acctest.WantNoWarning(t, warnings, plannedWarning)
		return
	}
	acctest.WantWarning(t, warnings, append([]string{plannedWarning + ": "}, words...)...)
}

// wantNothingToDo checks that the plan changes no client.
func wantNothingToDo(t *testing.T, c *acctest.CLI) {
	t.Helper()
	_, left := c.PlanAll(t)
	if len(left) == 0 {
		t.Error("after the apply, the plan has no client")
	}
	for client, plan := range left {
		if plan.Action != "no-op" {
			t.Errorf("after the apply, a plan of client %q would %s:\n%s", client, plan.Action, strings.Join(plan.Changes, "\n"))
		}
	}
}

// What a policy changes only when an object is created is corrected by the next apply.
// The plan is empty afterwards.
func TestAccClient_mutatedAtCreationOnly(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	s.Admission.Mutate(t, "statefulsets", mirrorImage, `request.operation == "CREATE"`)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	wantAdmission(t, c.Plan(t).Warnings, []string{"StatefulSet/mira-acme", image, "mira:3.0", "mirror.example/mira:3.0"})
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning)

	next := c.Plan(t)
	if diff := cmp.Diff([]string{"~ StatefulSet/mira-acme " + image + ": mirror.example/mira:3.0 -> mira:3.0"}, next.Changes); diff != "" {
		t.Errorf("changes after the create (-want +got):\n%s", diff)
	}
	acctest.WantNoWarning(t, next.Warnings, plannedWarning)
	c.ApplyPlan(t)
	wantNothingToDo(t, c)
	if err := s.CheckPodImage(t, "mira-acme-0", "mira:3.0"); err != nil {
		t.Error(err)
	}
	c.Destroy(t)
}

// A policy that does not change dry runs makes the server store something else than
// the dry run said. The apply succeeds with a warning, and the next plan shows the drift.
func TestAccClient_mutatedBehindThePlan(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	lift := s.Admission.Mutate(t, "statefulsets", mirrorImage, `!(has(request.dryRun) && request.dryRun)`)
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	drift := func(version string) []string {
		return []string{fmt.Sprintf("~ StatefulSet/mira-acme %s: mirror.example/mira:%[2]s -> mira:%[2]s", image, version)}
	}
	stored := func(version string) []string {
		return []string{storedWarning + ": ", "StatefulSet/mira-acme", image, "mira:" + version, "mirror.example/mira:" + version}
	}

	acctest.WantNoWarning(t, c.Plan(t).Warnings, plannedWarning)
	acctest.WantWarning(t, c.ApplyPlan(t), stored("3.0")...)
	again := c.Plan(t)
	if diff := cmp.Diff(drift("3.0"), again.Changes); diff != "" {
		t.Errorf("changes after the create (-want +got):\n%s", diff)
	}
	acctest.WantWarning(t, c.ApplyPlan(t), stored("3.0")...)

	s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:3.1"))
	updated := c.Plan(t)
	if diff := cmp.Diff([]string{"~ StatefulSet/mira-acme " + image + ": mirror.example/mira:3.0 -> mira:3.1"}, updated.Changes); diff != "" {
		t.Errorf("changes of the update (-want +got):\n%s", diff)
	}
	acctest.WantWarning(t, c.ApplyPlan(t), stored("3.1")...)
	if diff := cmp.Diff(drift("3.1"), c.Plan(t).Changes); diff != "" {
		t.Errorf("changes after the update (-want +got):\n%s", diff)
	}

	lift()
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning)
	wantNothingToDo(t, c)
	c.Destroy(t)
}

// A client that the Django controller wrote under a mutating policy is adopted
// under it, and no pod restarts.
func TestAccClient_adoptUnderMutatingAdmission(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	s.Admission.Mutate(t, "statefulsets", mirrorImage)
	djangoClient(t, s, sample, "acme", "admin@acme.example")
	pods := s.UIDs(t, "Pod")
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	acctest.WantNoWarning(t, c.Plan(t).Warnings, "Existing Objects Will Be Adopted", "Adoption Changes Objects")
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning)
	wantNothingToDo(t, c)
	if err := samePods(t, s, pods); err != nil {
		t.Error(err)
	}
	c.Destroy(t)
}

// A value that the server writes in another way than the template is the same value:
// there is no warning about a policy, and no plan shows it.
func TestAccClient_normalisedFields(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.Edit(t, acctest.SampleTemplate(t),
		"cpu: 100m", "cpu: 0.1", "memory: 256Mi", "memory: 268435456", "memory: 1024Mi", "memory: 1048576Ki", "storage: 5Gi", "storage: 5120Mi",
		// Neither the protocol nor the port's name is needed, and a number may
		// stand for a name.
		"  - name: https\n    port: 443\n    protocol: TCP\n    targetPort: https\n", "  - name: https\n    port: 443\n    targetPort: 443\n",
		"        - name: app\n          containerPort: 8000\n          protocol: TCP\n", "        - name: app\n          containerPort: 8000\n",
		"        - name: CLIENT_NAME\n", `        - name: POD
          valueFrom:
            fieldRef: {fieldPath: metadata.name}
        - name: MEMORY
          valueFrom:
            resourceFieldRef: {resource: limits.memory}
        - name: EMPTY
          value: ""
        - name: CLIENT_NAME
`,
		"      - name: mira-data\n        persistentVolumeClaim:\n          claimName: mira-data\n", `      - name: mira-data
        persistentVolumeClaim:
          claimName: mira-data
      - name: scratch
        emptyDir: {sizeLimit: 1024Mi}
      - name: about
        projected:
          sources:
          - downwardAPI:
              items:
              - path: labels
                fieldRef: {fieldPath: metadata.labels}
          - configMap: {name: about, optional: true}
`))
	c := acctest.NewCLI(t, s, s.Provider()+acmeClient())
	created := c.Plan(t)
	acctest.WantNoWarning(t, created.Warnings, plannedWarning)
	acctest.WantNoWarning(t, c.ApplyPlan(t), storedWarning, plannedWarning)
	left := c.Plan(t)
	if left.Action != "no-op" {
		t.Errorf("after the apply, a plan would %s:\n%s", left.Action, strings.Join(left.Changes, "\n"))
	}
	acctest.WantNoWarning(t, left.Warnings, plannedWarning)
	c.Destroy(t)
}
