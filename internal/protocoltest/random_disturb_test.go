package protocoltest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// The field managers of those who change objects by hand. What people change of the
// template's fields is changed back. What controllers add beside them stays.
var (
	withKubectl = []string{"kubectl-edit", "kubectl-patch", "kubectl-client-side-apply"}
	people      = []string{"kubectl-edit", "kubectl-patch", "kubectl-set", "kubectl-client-side-apply", acctest.DjangoManager, "argocd"}
	controllers = []string{"cost-controller", "injector"}
)

// disturbances are what may happen to the objects behind the provider's back. Each
// returns what it did; "" if nothing. The weight says how often it is drawn.
var disturbances = []struct {
	weight int
	do     func(k *runner, r *rand.Rand) string
}{
	{3, setImage},
	{2, setVariable},
	{4, setMark},
	{1, setSidecar},
	{2, func(k *runner, r *rand.Rand) string { return k.scale(r, "kubectl") }},
	{1, func(k *runner, r *rand.Rand) string { return k.scale(r, "somebody") }},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.patchPods("kubectl-edit", `{"terminationGracePeriodSeconds":7,"containers":[{"name":"mira",`+
			`"resources":{"requests":{"memory":"300Mi"},"limits":null},"readinessProbe":null}]}`)
	}},
	{2, func(k *runner, r *rand.Rand) string {
		return k.patch("Ingress", pick(r, people), pick(r, []string{
			`{"spec":{"rules":[{"host":"hijacked.example","http":{"paths":[{"path":"/","pathType":"Prefix",` +
				`"backend":{"service":{"name":"x","port":{"number":80}}}}]}}]}}`,
			`{"spec":{"ingressClassName":"traefik"}}`, `{"spec":{"ingressClassName":null}}`, `{"spec":{"tls":null}}`,
		}))
	}},
	{2, func(k *runner, r *rand.Rand) string {
		return k.patch("Service", pick(r, people), pick(r, []string{
			`{"spec":{"selector":{"extra":"label"}}}`, `{"spec":{"selector":{"client":null}}}`,
			fmt.Sprintf(`{"spec":{"ports":[{"port":%d,"targetPort":1}]}}`, k.applied.Ports[0].Number),
		}))
	}},
	{2, func(k *runner, r *rand.Rand) string {
		return k.delete(r, pick(r, []string{"Service", "Ingress", "StatefulSet"}))
	}},
	{1, func(k *runner, r *rand.Rand) string {
		if r.IntN(3) > 0 {
			return ""
		}
		return k.delete(r, "Service") + ", " + k.delete(r, "Ingress") + ", " + k.delete(r, "StatefulSet")
	}},
	{2, func(k *runner, _ *rand.Rand) string { return k.deletePod() }},
	{4, func(k *runner, r *rand.Rand) string {
		kind, sort := pick(r, []string{"Service", "Ingress", "StatefulSet"}), pick(r, []string{"labels", "annotations"})
		value := fmt.Sprint(r.IntN(100))
		patch := fmt.Sprintf(`{"metadata":{%q:{"cost.example/centre":%q}}}`, sort, value)
		return k.add(kind, pick(r, controllers), patch, "metadata."+sort+"[cost.example/centre]", value)
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("kubectl-rollout", `{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}`,
			"metadata.annotations[kubectl.kubernetes.io/restartedAt]", "now")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("injector", `{"spec":{"containers":[{"name":"proxy","image":"proxy:1.0"}]}}`,
			"spec.containers[proxy].image", "proxy:1.0")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("injector", `{"spec":{"containers":[{"name":"mira","env":[{"name":"INJECTED","value":"x"}]}]}}`,
			"spec.containers[mira].env[INJECTED].value", "x")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.add("Service", "lb-controller", `{"spec":{"ports":[{"name":"lb","port":7000,"protocol":"TCP"}]}}`,
			"spec.ports[7000,TCP].name", "lb")
	}},
}

// setImage sets an image, maybe to what the template says next: tried by hand first,
// then released.
func setImage(k *runner, r *rand.Rand) string {
	container := pick(r, []string{"mira", "caddy"})
	tag := pick(r, []string{"by-hand", k.template.Tags[container], k.template.Tags[container]})
	return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":%q,"image":"%s:%s"}]}`, container, container, tag))
}

// setVariable sets or removes an environment variable that the template has, had, or
// will have.
func setVariable(k *runner, r *rand.Rand) string {
	of := pick(r, []choices{k.applied, k.template})
	v := pick(r, append([]variable{{"CLIENT_NAME", "by hand"}}, of.Env...))
	const container = `{"containers":[{"name":"mira","env":[%s]}]}`
	switch r.IntN(3) {
	case 0:
		return k.patchPods(pick(r, people), fmt.Sprintf(container, fmt.Sprintf(`{"name":%q,"$patch":"delete"}`, v.Name)))
	case 1:
		v.Value = "by hand"
	}
	set := fmt.Sprintf(`{"name":%q,"value":%s}`, v.Name, quoted(k.values().Replace(v.Value)))
	return k.patchPods(pick(r, people), fmt.Sprintf(container, set))
}

// setMark sets or removes a label or an annotation, maybe one that the template has
// later.
func setMark(k *runner, r *rand.Rand) string {
	place := pick(r, places)
	kind, sort, _ := strings.Cut(place, " ")
	key := pick(r, markKeys[sort])
	value := quoted(k.values().Replace(k.template.Marks[place][key]))
	switch r.IntN(4) {
	case 0:
		value = "null"
	case 1:
		value = quoted(pick(r, markValues[sort][:2]))
	}
	patch := fmt.Sprintf(`{"metadata":{%q:{%q:%s}}}`, sort, key, value)
	manager := pick(r, append(people, "kubectl-label", "kubectl-annotate"))
	if kind == "Pod" {
		return k.patch("StatefulSet", manager, `{"spec":{"template":`+patch+`}}`)
	}
	return k.patch(kind, manager, patch)
}

// setSidecar sets the image of a sidecar that the template has or had.
func setSidecar(k *runner, r *rand.Rand) string {
	names := append(slices.Clone(k.template.Sidecars), k.applied.Sidecars...)
	if len(names) == 0 {
		return ""
	}
	name := pick(r, names)
	return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":%q,"image":"%s:1.0"}]}`, name, name))
}

// unions set by hand what the server does not accept beside the template's fields:
// another member of a union, or a name that must be unique. What people with kubectl
// put there gives way. From a program it would be an error that the operator has to
// solve.
var unions = []func(k *runner, r *rand.Rand) string{
	func(k *runner, r *rand.Rand) string {
		return k.patchPods(pick(r, withKubectl), `{"containers":[{"name":"mira",`+
			`"readinessProbe":{"httpGet":null,"tcpSocket":null,"exec":{"command":["true"]}}}]}`)
	},
	func(k *runner, r *rand.Rand) string {
		return k.patchPods(pick(r, withKubectl), `{"containers":[{"name":"mira",`+
			`"env":[{"name":"CLIENT_NAME","value":null,"valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]}`)
	},
	func(k *runner, r *rand.Rand) string {
		p := k.applied.Ports[0]
		return k.patch("Service", pick(r, withKubectl), fmt.Sprintf(
			`{"spec":{"ports":[{"$patch":"delete","port":%d},{"name":%q,"port":81,"targetPort":%q}]}}`, p.Number, p.Name, p.Name))
	},
}

// disturb draws one disturbance, and returns what it did.
func (k *runner) disturb() string {
	if k.r.IntN(15) == 0 {
		return pick(k.r, unions)(k, k.r)
	}
	total := 0
	for _, disturbance := range disturbances {
		total += disturbance.weight
	}
	at := k.r.IntN(total)
	for _, disturbance := range disturbances {
		if at -= disturbance.weight; at < 0 {
			return disturbance.do(k, k.r)
		}
	}
	panic("unreachable")
}

// values replaces the placeholders of the template that is applied next.
func (k *runner) values() *strings.Replacer { return k.template.values(k.client, acctest.Domain) }

// tryFirst does by hand what the template says next. That makes a second owner of the
// field, who must not keep it when the template drops it.
func (k *runner) tryFirst() string {
	for _, v := range k.template.Env {
		if !slices.ContainsFunc(k.applied.Env, func(has variable) bool { return has.Name == v.Name }) && v.Value != "" {
			return k.patchPods("kubectl-set", fmt.Sprintf(
				`{"containers":[{"name":"mira","env":[{"name":%q,"value":%s}]}]}`, v.Name, quoted(k.values().Replace(v.Value))))
		}
	}
	for _, place := range places {
		kind, sort, _ := strings.Cut(place, " ")
		for _, key := range slices.Sorted(maps.Keys(k.template.Marks[place])) {
			value := quoted(k.values().Replace(k.template.Marks[place][key]))
			if _, ok := k.applied.Marks[place][key]; !ok && kind != "Pod" {
				return k.patch(kind, "kubectl-edit", fmt.Sprintf(`{"metadata":{%q:{%q:%s}}}`, sort, key, value))
			}
		}
	}
	return ""
}

// alive reports whether the client has its object of a kind, and this step has not
// deleted it.
func (k *runner) alive(kind string) bool {
	name := "mira-" + k.client
	return k.s.Exists(k.t, kind, name) && !k.step.deleted[kind+"/"+name]
}

// patch changes what the template says, or may say.
func (k *runner) patch(kind, manager, patch string) string {
	if !k.alive(kind) {
		return ""
	}
	k.step.touched = true
	k.step.touchedPods = k.step.touchedPods || kind == "StatefulSet" && strings.Contains(patch, `"template"`)
	k.s.Patch(k.t, kind, "mira-"+k.client, manager, patch)
	return fmt.Sprintf("%s patches %s: %s", manager, kind, patch)
}

func (k *runner) patchPods(manager, patch string) string {
	return k.patch("StatefulSet", manager, `{"spec":{"template":{"spec":`+patch+`}}}`)
}

// scale sets the replicas: as `kubectl scale` does, or by server-side apply as another
// manager.
func (k *runner) scale(r *rand.Rand, manager string) string {
	if !k.alive("StatefulSet") {
		return ""
	}
	name, replicas := "mira-"+k.client, r.IntN(4)
	if manager == "kubectl" {
		k.s.Scale(k.t, name, replicas)
	} else {
		k.s.Apply(k.t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"replicas": int64(replicas)},
		}}, manager)
	}
	k.step.touched, k.step.low = true, min(k.step.low, replicas)
	return fmt.Sprintf("%s scales to %d", manager, replicas)
}

// add adds what has to survive.
func (k *runner) add(kind, manager, patch, path string, value any) string {
	if !k.alive(kind) {
		return ""
	}
	name := "mira-" + k.client
	k.s.Patch(k.t, kind, name, manager, patch)
	key := kind + "/" + name
	if k.foreign[key] == nil {
		k.foreign[key] = map[string]any{}
	}
	k.foreign[key][path] = value
	return fmt.Sprintf("%s adds to %s: %s", manager, kind, patch)
}

func (k *runner) addToPods(manager, patch, path string, value any) string {
	k.step.touchedPods = true
	return k.add("StatefulSet", manager, `{"spec":{"template":`+patch+`}}`, "spec.template."+path, value)
}

// delete deletes an object. The pods of a StatefulSet stay two times in three.
func (k *runner) delete(r *rand.Rand, kind string) string {
	if !k.alive(kind) {
		return ""
	}
	name := "mira-" + k.client
	k.step.touched, k.step.deleted[kind+"/"+name] = true, true
	if kind == "StatefulSet" && r.IntN(3) > 0 {
		// It is gone before anybody looks: both servers under comparison must see the same.
		k.s.Orphan(k.t, kind, name)
		return fmt.Sprintf("deleting %s (%s)", kind, metav1.DeletePropagationOrphan)
	}
	k.step.killed = k.step.killed || kind == "StatefulSet"
	if !k.s.DeleteWith(k.t, kind, name, metav1.DeletePropagationBackground) {
		k.t.Fatalf("%s %s is not there", kind, name)
	}
	return fmt.Sprintf("deleting %s (%s)", kind, metav1.DeletePropagationBackground)
}

// deletePod deletes the first pod.
func (k *runner) deletePod() string {
	name := fmt.Sprintf("mira-%s-0", k.client)
	k.step.lost[name] = true
	if !k.s.DeleteWith(k.t, "Pod", name, metav1.DeletePropagationBackground) {
		return "" // there are no pods
	}
	return "deleting pod " + name
}
