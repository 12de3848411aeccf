package provider

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// rewriting is a template that says the same as the sample in another way.
type rewriting struct{ name, template string }

// rewritings are made of the sample with a limit of `cpu: 1` to the container
// mira.
func rewritings(t *testing.T, s *acctest.Sandbox, sample string) []rewriting {
	t.Helper()
	documents := documentsOf(t, sample)
	backwards := slices.Clone(documents)
	slices.Reverse(backwards)
	return []rewriting{
		{"quantities", acctest.Edit(t, sample, "1024Mi", "1Gi", "cpu: 100m", "cpu: 0.1", "memory: 256Mi", "memory: 0.25Gi",
			"cpu: 10m", `cpu: "0.010"`, "memory: 64Mi", "memory: 65536Ki", "memory: 128Mi", "memory: 131072Ki")},
		{"quantities_in_bytes", acctest.Edit(t, sample, "memory: 1024Mi", "memory: 1073741824", "memory: 256Mi", "memory: 268435456",
			"memory: 64Mi", `memory: "67108864"`)},
		{"claim_quantity_in_bytes", acctest.Edit(t, sample, "storage: 5Gi", "storage: 5368709120")},
		{"claim_quantities", acctest.Edit(t, sample, "storage: 5Gi", "storage: 5120Mi")},
		{"number_as_string", acctest.Edit(t, sample, "cpu: 1\n", `cpu: "1"`+"\n")},
		{"number_as_quantity", acctest.Edit(t, sample, "cpu: 1\n", "cpu: 1000m\n")},
		{"number_formats", acctest.Edit(t, sample, "cpu: 1\n", "cpu: 1.0\n", "port: 443", "port: 0x1bb", "replicas: 1", "replicas: +1",
			"periodSeconds: 30", "periodSeconds: 30.0")},
		{"comments", "# first\n" + acctest.Edit(t, sample, "\nspec:\n",
			"\n# of %NOBODY%, %CLIENT_NAME% and {{ braces }}\nspec: # here, too\n  # and here\n") + "# last\n"},
		{"blank_lines", "\n\n" + acctest.Edit(t, sample, "\n", "  \n\n")},
		{"indentation", acctest.Edit(t, "    "+acctest.Edit(t, sample, "\n", "\n    "), "\n    ---", "\n---")},
		{"line_ends_and_byte_order_mark", "\ufeff" + acctest.Edit(t, sample, "\n", "\r\n")},
		{"quoting", acctest.Edit(t, sample, "image: mira:3.0", `image: "mira:3.0"`, "value: %EMAIL_ADMIN%", `value: '%EMAIL_ADMIN%'`,
			`passthrough: "true"`, "passthrough: 'true'",
			"client: %CLIENT_NAME%", `client: "%CLIENT_NAME%"`, "path: /healthz", `"path": "/healthz"`, "- caddy\n", "- >-\n          caddy\n")},
		{"aliases", acctest.Edit(t, sample, "          requests:\n            cpu: 100m", "          requests:\n            cpu: &cpu 100m",
			"containerPort: 80\n          protocol: TCP", "containerPort: 80\n          protocol: &tcp TCP",
			"containerPort: 443\n          protocol: TCP", "containerPort: 443\n          protocol: *tcp")},
		{"flow_style", acctest.Edit(t, sample, "      - ReadWriteOnce\n", "", "accessModes:", "accessModes: [ReadWriteOnce]",
			"    app: mira\n    client: %CLIENT_NAME%\n", "    {client: %CLIENT_NAME%, app: mira}\n")},
		{"key_order", acctest.Edit(t, sample, "- name: http\n    port: 80\n", "- port: 80\n    name: http\n",
			"kind: Service\nmetadata:\n  name: mira-%CLIENT_NAME%\n", "metadata: {name: mira-%CLIENT_NAME%}\nkind: Service\n",
			"        image: mira:3.0\n        imagePullPolicy: IfNotPresent\n", "        imagePullPolicy: IfNotPresent\n        image: mira:3.0\n")},
		{"json", join(marshal(t, documents...)...)},
		{"document_order", join(marshal(t, backwards...)...)},
		{"empty_documents", "---\n# nothing\n---\n" + acctest.Edit(t, sample, "\n---\n", "\n...\n---\n---\n") + "\n---\nnull\n"},
		{"list", marshal(t, map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": ""},
			"items": documents})[0]},
		{"list_and_documents", join(marshal(t, documents[2], map[string]any{"apiVersion": "v1", "kind": "List", "items": documents[:2]})...)},
		{"namespace_spelled_out", acctest.Edit(t, sample, "\n  name: mira-%CLIENT_NAME%\n",
			"\n  name: mira-%CLIENT_NAME%\n  namespace: "+s.Namespace+"\n")},
		{"domain_spelled_out", acctest.Edit(t, sample, "%CLUSTER_DOMAIN%", acctest.Domain)},
		{"exported_fields", acctest.Edit(t, sample, "kind: StatefulSet\nmetadata:\n",
			"kind: StatefulSet\nmetadata:\n  creationTimestamp: \"2024-05-01T10:00:00Z\"\n  generation: 7\n"+
				"  resourceVersion: \"4711\"\n  uid: 4a0b3c1e-0000-4000-8000-000000000000\n  managedFields: []\n",
			"status:\n  loadBalancer: {}\n", "status:\n  loadBalancer:\n    ingress:\n    - ip: 192.0.2.1\n")},
		{"nothing_spelled_out", acctest.Edit(t, sample, "\n  serviceName: mira\n", "\n  serviceName: mira\n  minReadySeconds: null\n",
			"      terminationGracePeriodSeconds: 30\n", "      terminationGracePeriodSeconds: 30\n      nodeSelector: {}\n"+
				"      tolerations: []\n      affinity: null\n      securityContext: ~\n")},
	}
}

// Two templates that say the same in different ways give an empty plan and no write,
// whichever of them was applied. A real change is one line of the plan in each of them.
func TestAccClient_sameTemplateWrittenOtherwise(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.Edit(t, acctest.SampleTemplate(t), "            memory: 1024Mi\n", "            memory: 1024Mi\n            cpu: 1\n")
	all := rewritings(t, s, sample)
	// Each client has a template of its own, so that one plan tries them all.
	config := s.Provider()
	same, other := make(map[string]string, len(all)), make(map[string]string, len(all))
	sameNext, otherNext := make(map[string]string, len(all)), make(map[string]string, len(all))
	var oneLineEach []plancheck.PlanCheck
	for i, r := range all {
		if r.template == sample {
			t.Fatalf("%s changes nothing", r.name)
		}
		name, address := fmt.Sprintf("c%d", i), "mira_client."+r.name
		config += client(r.name, fmt.Sprintf("name = %q", name), `admin_email = "admin@mira.example"`,
			fmt.Sprintf("template = { key = %q }", r.name))
		same[r.name], other[r.name] = sample, r.template
		sameNext[r.name], otherNext[r.name] = acctest.Edit(t, sample, "mira:3.0", "mira:3.1"), acctest.Edit(t, r.template, "mira:3.0", "mira:3.1")
		oneLineEach = append(oneLineEach, objectChanges(address, "~ StatefulSet/mira-"+name+" "+image+": mira:3.0 -> mira:3.1"))
	}
	var written map[string]any
	unwritten := inCluster(func() error {
		if diff := cmp.Diff(written, s.Snapshot(t)); diff != "" {
			return fmt.Errorf("objects were written to (-before +after):\n%s", diff)
		}
		return nil
	})
	put := func(templates map[string]string) func() {
		return func() { written = s.Snapshot(t); s.PutConfigMap(t, "templates-yaml", templates) }
	}
	nothing := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{PreConfig: put(same), Config: config},
			{PreConfig: put(other), Config: config, ConfigPlanChecks: nothing, ConfigStateChecks: []statecheck.StateCheck{unwritten}},
			{PreConfig: put(otherNext), Config: config, ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: oneLineEach,
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
			{PreConfig: put(sameNext), Config: config, ConfigPlanChecks: nothing, ConfigStateChecks: []statecheck.StateCheck{unwritten}},
		},
	})
}

// The plan is empty whether a template has the fields that the server would set to the
// same values, or leaves them out. A drift of these fields is still found.
func TestAccClient_defaultsSpelledOut(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	templates := map[string]string{
		"short": acctest.Edit(t, sample, "\n  type: ClusterIP\n", "\n", "\n    protocol: TCP\n", "\n", "\n          protocol: TCP\n", "\n",
			"\n  replicas: 1\n", "\n",
			"\n      terminationGracePeriodSeconds: 30\n", "\n", "\n        imagePullPolicy: IfNotPresent\n", "\n",
			"\n          periodSeconds: 10\n", "\n"),
		"long": acctest.Edit(t, sample, "  type: ClusterIP\n",
			"  type: ClusterIP\n  sessionAffinity: None\n  internalTrafficPolicy: Cluster\n  ipFamilyPolicy: SingleStack\n",
			"\n  serviceName: mira\n", "\n  serviceName: mira\n  podManagementPolicy: OrderedReady\n  revisionHistoryLimit: 10\n"+
				"  updateStrategy:\n    type: RollingUpdate\n    rollingUpdate:\n      partition: 0\n",
			"      terminationGracePeriodSeconds: 30\n", "      terminationGracePeriodSeconds: 30\n      dnsPolicy: ClusterFirst\n"+
				"      restartPolicy: Always\n      schedulerName: default-scheduler\n      securityContext: {}\n",
			"            port: app\n", "            port: app\n            scheme: HTTP\n", "          periodSeconds: 10\n",
			"          periodSeconds: 10\n          successThreshold: 1\n          timeoutSeconds: 1\n",
			"        image: mira:3.0\n", "        image: mira:3.0\n        terminationMessagePath: /dev/termination-log\n"+
				"        terminationMessagePolicy: File\n",
			"          storage: 5Gi\n", "          storage: 5Gi\n      volumeMode: Filesystem\n"),
	}
	swapped := map[string]string{"short": templates["long"], "long": templates["short"]}
	newImage := func(templates map[string]string) map[string]string {
		changed := make(map[string]string, len(templates))
		for key, template := range templates {
			changed[key] = acctest.Edit(t, template, "mira:3.0", "mira:3.1")
		}
		return changed
	}
	config := s.Provider() +
		client("short", `name = "short"`, `admin_email = "admin@mira.example"`, `template = { key = "short" }`) +
		client("long", `name = "long"`, `admin_email = "admin@mira.example"`, `template = { key = "long" }`)
	put := func(templates map[string]string) func() {
		return func() { s.PutConfigMap(t, "templates-yaml", templates) }
	}
	nothing := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		objectChanges("mira_client.short"), objectChanges("mira_client.long"), plancheck.ExpectEmptyPlan(),
	}}
	const policy = "spec.template.spec.containers[mira].imagePullPolicy"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{PreConfig: put(templates), Config: config},
			{PreConfig: put(swapped), Config: config, ConfigPlanChecks: nothing},
			{
				// The template has it, whoever owns the field.
				PreConfig: func() {
					s.Patch(t, "StatefulSet", "mira-short", "kubectl-edit",
						`{"spec":{"template":{"spec":{"containers":[{"name":"mira","imagePullPolicy":"Always"}]}}}}`)
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction("mira_client.short", plancheck.ResourceActionUpdate),
						plancheck.ExpectKnownValue("mira_client.short", tfjsonpath.New("objects").AtMapKey("StatefulSet/mira-short").AtMapKey(policy),
							knownvalue.StringExact("IfNotPresent")),
						plancheck.ExpectResourceAction("mira_client.long", plancheck.ResourceActionNoop),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
			{
				PreConfig: put(newImage(swapped)), Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{PreConfig: put(newImage(templates)), Config: config, ConfigPlanChecks: nothing},
		},
	})
}

// A quantity in units of another system (256Mi and 268435456) is the same quantity: the live
// object keeps its notation, as the other one would restart the pods.
func TestAccClient_quantityOfAnotherSystem(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider() + acmeClient()
	var pods map[string]types.UID
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					pods = s.UIDs(t, "Pod")
					s.PutTemplate(t, acctest.Edit(t, sample, "memory: 256Mi", "memory: 268435456"))
				},
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check:            func(*terraform.State) error { return samePods(t, s, pods) },
			},
		},
	})
}

// The provider's template may move to another key and another ConfigMap: the
// same content is the same template.
func TestAccClient_movedTemplate(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	// The documented Role names the ConfigMaps that may be read.
	s.Patch(t, "Role", "mira-templates", "test",
		`{"rules":[{"apiGroups":[""],"resources":["configmaps"],"resourceNames":["templates-yaml","moved"],"verbs":["get","list","watch"]}]}`)
	acme := acmeClient()
	at := func(place string) string {
		return acctest.Edit(t, s.Provider(), fmt.Sprintf("{ namespace = %q }", s.Namespace),
			fmt.Sprintf("{ namespace = %q, %s }", s.Namespace, place)) + acme
	}
	nothing := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: s.Provider() + acme},
			{
				PreConfig: func() {
					s.PutConfigMap(t, "moved", map[string]string{"client_template.yaml": sample, "v2.yaml": "# Moved, too.\n" + sample})
					s.Delete(t, "ConfigMap", "templates-yaml")
				},
				Config: at(`config_map = "moved"`), ConfigPlanChecks: nothing,
			},
			{Config: at(`config_map = "moved", key = "v2.yaml"`), ConfigPlanChecks: nothing},
			{
				PreConfig: func() {
					s.PutConfigMap(t, "moved", map[string]string{"v2.yaml": acctest.Edit(t, sample, "mira:3.0", "mira:3.1")})
				},
				Config: at(`config_map = "moved", key = "v2.yaml"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					objectChanges("mira_client.acme", "~ StatefulSet/mira-acme "+image+": mira:3.0 -> mira:3.1"),
				}},
			},
		},
	})
}

// An edit that matters to some clients only leaves the others out of the plan,
// the revision of their template included.
func TestAccClient_templateEditForOthers(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	config := s.Provider(`variables = { IMAGE_TAG = "3.0" }`) +
		acmeClient() +
		client("canary", `name = "canary"`, `admin_email = "admin@canary.example"`, `variables = { IMAGE_TAG = "3.1" }`)
	var revision any
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{
				Config: config,
				ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownValue("mira_client.acme", tfjsonpath.New("template_revision"),
					knownvalue.StringFunc(func(v string) error {
						revision = v
						return nil
					}))},
			},
			{
				PreConfig: func() { s.PutTemplate(t, acctest.Edit(t, sample, "mira:3.0", "mira:%IMAGE_TAG%")) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionNoop),
					objectChanges("mira_client.canary", "~ StatefulSet/mira-canary "+image+": mira:3.0 -> mira:3.1"),
				}, PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("mira_client.acme", tfjsonpath.New("template_revision"), knownvalue.StringFunc(func(v string) error {
						if v != revision {
							return fmt.Errorf("the revision was %v and is %s", revision, v)
						}
						return nil
					})),
					statecheck.ExpectKnownValue("mira_client.canary", tfjsonpath.New("template_revision"), knownvalue.StringFunc(func(v string) error {
						if v == revision {
							return fmt.Errorf("the client has still revision %s", v)
						}
						return nil
					})),
				},
			},
		},
	})
}

// placeholderValue is a plain scalar with a placeholder.
var placeholderValue = regexp.MustCompile(`(?m)^( *(?:- )*(?:[\w./-]+: )?)([^"\s#][^"\n#]*%[A-Z_]+%[^"\n]*|%[A-Z_]+%[^"\n]*)$`)

// documentsOf parses a template whose placeholders stand in plain scalars.
func documentsOf(t *testing.T, template string) []map[string]any {
	t.Helper()
	var documents []map[string]any
	for text := range strings.SplitSeq(template, "\n---\n") {
		var document map[string]any
		if err := yaml.Unmarshal([]byte(placeholderValue.ReplaceAllString(text, `$1"$2"`)), &document); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	return documents
}

// marshal writes each value as JSON, keys sorted.
func marshal(t *testing.T, values ...map[string]any) []string {
	t.Helper()
	var texts []string
	for _, value := range values {
		data, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	return texts
}

func join(documents ...string) string { return strings.Join(documents, "\n---\n") }
