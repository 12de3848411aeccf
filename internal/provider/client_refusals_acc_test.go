package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// refusal is something that the server would not do. NS stands for the sandbox
// and CLIENT for the client in what the operator is to read, in this order.
type refusal struct {
	name     string
	template string
	arrange  func(s *acctest.Sandbox) (lift func())
	update   []string // of the client acme, which exists
	create   []string // of the client globex, which does not
}

// What the server would refuse is an error at plan, for a client that exists and for one
// that does not. The error names the client, the object, the field and the reason.
// Nothing is written, not even the objects before the one at fault.
func TestAccClient_serverRefuses(t *testing.T) {
	t.Parallel()
	sample := acctest.SampleTemplate(t)
	// All of these change the Service and the Ingress, too.
	changed := acctest.Edit(t, sample, "type: ClusterIP\n", "type: ClusterIP\n  sessionAffinity: ClientIP\n", `ssl-passthrough: "true"`,
		`ssl-passthrough: "false"`)
	const extra = "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: mira-%CLIENT_NAME%-metrics}\nspec: {ports: [{port: 9090}]}\n"
	both := func(refusals ...refusal) []refusal {
		for i := range refusals {
			refusals[i].create = refusals[i].update
		}
		return refusals
	}
	refusals := both(
		refusal{
			name:     "an invalid value in the first object",
			template: acctest.Edit(t, changed, "port: 443", "port: 443000"),
			update: []string{`Error: Server Rejected Object`,
				`Client "CLIENT": Service NS/mira-CLIENT: the server would not apply it: spec.ports[1].port: Invalid value: 443000: must be ` +
					`between 1 and 65535, inclusive (template line 20).`},
		},
		refusal{
			name:     "an invalid value in the third object",
			template: acctest.Edit(t, changed, "replicas: 1", "replicas: -1"),
			update: []string{`Error: Server Rejected Object`,
				`Client "CLIENT": StatefulSet NS/mira-CLIENT: the server would not apply it: spec.replicas: Invalid value: -1: must be greater ` +
					`than or equal to 0 (template line 52).`},
		},
		refusal{
			name:     "every object, all at once",
			template: acctest.Edit(t, changed, "port: 443", "port: 443000", "pathType: Prefix", "pathType: Suffix", "replicas: 1", "replicas: -1"),
			update: []string{
				`Client "CLIENT": Service NS/mira-CLIENT:`,
				`Client "CLIENT": Ingress NS/mira-CLIENT: the server would not apply it: spec.rules[0].http.paths[0].pathType: Unsupported value: ` +
					`"Suffix": supported values: "Exact", "ImplementationSpecific", "Prefix" (template line 38).`,
				`Client "CLIENT": StatefulSet NS/mira-CLIENT:`,
			},
		},
		refusal{
			name:     "an unknown field",
			template: acctest.Edit(t, changed, "image: mira:3.0\n        imagePullPolicy", "image: mira:3.0\n        imagePullPolicies"),
			update: []string{
				`Error: Unknown Field In Template`, `Client "CLIENT": StatefulSet NS/mira-CLIENT: the server would not apply it:`,
				`spec.template.spec.containers[mira].imagePullPolicies: field not declared in schema (template line 71). Check the spelling`,
			},
		},
		refusal{
			name:     "a value of another type",
			template: acctest.Edit(t, changed, "replicas: 1", "replicas: one"),
			update: []string{`Error: Server Rejected Object`,
				`Client "CLIENT": StatefulSet NS/mira-CLIENT: the server would not apply it: spec.replicas: expected numeric (int or float), got ` +
					`string (template line 52).`},
		},
		refusal{
			name:     "a version that the server does not have",
			template: acctest.Edit(t, changed, "apps/v1", "apps/v9"),
			update: []string{`Error: Kind Not Supported`,
				`Client "CLIENT": apps/v9 StatefulSet: the server does not serve this kind in this version.`},
		},
		refusal{
			name:     "a quota",
			template: changed + extra,
			arrange: func(s *acctest.Sandbox) func() {
				return s.Admission.Quota(t, "few", map[string]string{"services": "1"}, serviceProbe())
			},
			update: []string{
				`Error: Resource Quota Exceeded`,
				`Client "CLIENT": Service NS/mira-CLIENT-metrics exceeds quota "few": requested services=1, used services=1, limited to services=1.`,
				`kubectl describe resourcequota -n NS few`,
			},
		},
		refusal{
			name:     "an admission policy",
			template: changed,
			arrange:  func(s *acctest.Sandbox) func() { return s.Admission.Deny(t, "ingresses", "true", ingressProbe()) },
			update: []string{
				`Error: Denied By Admission Policy`,
				`Client "CLIENT": Ingress NS/mira-CLIENT: denied by ValidatingAdmissionPolicy "NS-ingresses" (binding "NS-ingresses"): forbidden ` +
					`by the test.`,
			},
		},
	)
	refusals = append(refusals,
		refusal{
			name:     "a field that cannot be changed",
			template: acctest.Edit(t, changed, "type: ClusterIP\n", "type: ClusterIP\n  clusterIP: 10.96.222.33\n"),
			update: []string{`Error: Field Cannot Be Changed In Place`,
				`Client "CLIENT": Service NS/mira-CLIENT: the server would not apply it: spec.clusterIPs[0]: Invalid value: ["10.96.222.33"]: ` +
					`may not change once set.`},
		},
		refusal{
			name:     "the right to create",
			template: changed,
			arrange:  func(s *acctest.Sandbox) func() { return s.Rights.Suspend(t, "", "services", "create") },
			create: []string{
				`Error: Permission Denied`,
				`Client "CLIENT": Service NS/mira-CLIENT: user "system:serviceaccount:NS:controller" may not create services in namespace "NS". ` +
					`Compare with the Roles in the guide "Rights"`,
				`kubectl auth can-i create services -n NS --as system:serviceaccount:NS:controller`,
			},
		},
		refusal{
			name:     "the right to change",
			template: changed,
			arrange:  func(s *acctest.Sandbox) func() { return s.Rights.Suspend(t, "networking.k8s.io", "ingresses", "patch") },
			update: []string{`Error: Permission Denied`, `Client "CLIENT": Ingress NS/mira-CLIENT:`,
				`may not patch ingresses.networking.k8s.io in namespace "NS".`},
			create: []string{`Error: Permission Denied`, `Client "CLIENT": Ingress NS/mira-CLIENT:`,
				`may not patch ingresses.networking.k8s.io in namespace "NS".`},
		},
	)

	s := acctest.NewSandbox(t)
	s.PutTemplate(t, sample)
	acme := s.Provider() + acmeClient()
	fleet := acme + client("globex", `name = "globex"`, `admin_email = "admin@globex.example"`)
	var written map[string]any
	var serviceWrites func() []string
	lift := func() {}
	settle := func() {
		lift()
		lift = func() {}
		if diff := cmp.Diff(written, s.Snapshot(t)); diff != "" {
			t.Fatalf("objects were written to (-before +after):\n%s", diff)
		}
		if events := serviceWrites(); len(events) > 0 {
			t.Fatalf("Services were written: %v", events)
		}
	}
	steps := []resource.TestStep{{
		Config: acme,
		ConfigStateChecks: []statecheck.StateCheck{inCluster(func() error {
			written, serviceWrites = s.Snapshot(t), s.FollowServices(t)
			return nil
		})},
	}}
	for _, r := range refusals {
		steps = append(steps, resource.TestStep{
			PreConfig: func() {
				settle()
				t.Log(r.name)
				if r.arrange != nil {
					lift = r.arrange(s)
					serviceWrites = s.FollowServices(t) // without the probes
				}
				s.PutTemplate(t, r.template)
			},
			Config:      fleet,
			PlanOnly:    true,
			ExpectError: refused(s, r),
		})
	}
	steps = append(steps, resource.TestStep{
		PreConfig:        func() { settle(); s.PutTemplate(t, sample) },
		Config:           acme,
		ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
	})
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, CheckDestroy: noneLeft(t, s), Steps: steps})
}

// refused matches what is to be read of both clients, whichever comes first.
func refused(s *acctest.Sandbox, r refusal) *regexp.Regexp {
	of := func(client string, says []string) string {
		var parts []string
		for _, part := range says {
			parts = append(parts, acctest.Message(strings.NewReplacer("CLIENT", client, "NS", s.Namespace).Replace(part)).String())
		}
		return strings.Join(parts, ".*")
	}
	acme, globex := of("acme", r.update), of("globex", r.create)
	return regexp.MustCompile(fmt.Sprintf("(?s)%s.*%s|%[2]s.*%[1]s", acme, globex))
}

// What the server would refuse only since the plan was made is found before the
// first write, too: the objects before the one at fault are not written, not even
// for a moment. The next apply does it all.
func TestAccClient_serverRefusesAfterPlan(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	s.PutTemplate(t, sample)
	acme := s.Provider() + acmeClient()
	fleet := acme + client("globex", `name = "globex"`, `admin_email = "admin@globex.example"`)
	var written map[string]any
	var serviceWrites func() []string
	var lift func()
	says := []string{`Error: Denied By Admission Policy`,
		`Client "CLIENT": StatefulSet NS/mira-CLIENT: denied by ValidatingAdmissionPolicy "NS-statefulsets"`}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		CheckDestroy:             noneLeft(t, s),
		Steps: []resource.TestStep{
			{Config: acme},
			{
				PreConfig: func() {
					s.PutTemplate(t, acctest.Edit(t, sample, "type: ClusterIP\n", "type: ClusterIP\n  sessionAffinity: ClientIP\n", "mira:3.0",
						"mira:3.1"))
				},
				Config: fleet,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
					plancheck.ExpectResourceAction("mira_client.globex", plancheck.ResourceActionCreate),
					afterPlan(func() {
						lift = s.Admission.Deny(t, "statefulsets", "true", acctest.StatefulSetProbe())
						written, serviceWrites = s.Snapshot(t), s.FollowServices(t)
					}),
				}},
				ExpectError: refused(s, refusal{update: says, create: says}),
			},
			{
				PreConfig: func() {
					if diff := cmp.Diff(written, s.Snapshot(t)); diff != "" {
						t.Fatalf("objects were written to (-before +after):\n%s", diff)
					}
					if events := serviceWrites(); len(events) > 0 {
						t.Fatalf("Services were written: %v", events)
					}
					lift()
				},
				Config: fleet,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction("mira_client.acme", plancheck.ResourceActionUpdate),
						plancheck.ExpectResourceAction("mira_client.globex", plancheck.ResourceActionCreate),
					},
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}

// Credentials that the server does not accept are not reported as a network problem.
func TestAccClient_credentialsNotAccepted(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	s.PutTemplate(t, acctest.SampleTemplate(t))
	config := acctest.Edit(t, s.Provider(), "kubernetes     = { ", `kubernetes     = { token = "expired", `) + acmeClient()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: config, PlanOnly: true,
			ExpectError: regexp.MustCompile("(?s)Error: Credentials Not Accepted.*" + acctest.Message(`does not accept the credentials`).String()),
		}},
	})
}

// afterPlan is a plan check that does something between plan and apply.
type afterPlan func()

func (do afterPlan) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	do()
}

// serviceProbe is a Service that the API server would accept.
func serviceProbe() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{"ports": []any{map[string]any{"port": int64(80)}}},
	}}
}
