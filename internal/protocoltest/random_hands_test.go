package protocoltest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// people change what the template says, and are overruled; controllers add what
// it does not say, and are let be.
var (
	withKubectl = []string{"kubectl-edit", "kubectl-patch", "kubectl-client-side-apply"}
	people      = []string{"kubectl-edit", "kubectl-patch", "kubectl-set", "kubectl-client-side-apply", acctest.DjangoManager, "argocd"}
	controllers = []string{"cost-controller", "injector"}
)

// hands are what may be done behind the provider's back. Each says what it did.
var hands = []struct {
	weight int
	do     func(k *runner, r *rand.Rand) string
}{
	{3, func(k *runner, r *rand.Rand) string {
		container := pick(r, []string{"mira", "caddy"})
		// Also what the template says next: tried by hand first, then released.
		tag := pick(r, []string{"by-hand", k.template.Tags[container], k.template.Tags[container]})
		return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":%q,"image":"%s:%s"}]}`, container, container, tag))
	}},
	{2, func(k *runner, r *rand.Rand) string {
		of := pick(r, []choices{k.applied, k.template})
		v := pick(r, append([]variable{{"CLIENT_NAME", "by hand"}}, of.Env...))
		switch r.IntN(3) {
		case 0:
			return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":"mira","env":[{"name":%q,"$patch":"delete"}]}]}`, v.Name))
		case 1:
			v.Value = "by hand"
		}
		return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":"mira","env":[{"name":%q,"value":%s}]}]}`, v.Name, quoted(k.values().Replace(v.Value))))
	}},
	{4, func(k *runner, r *rand.Rand) string { // also what the template may say later
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
	}},
	{1, func(k *runner, r *rand.Rand) string {
		names := append(slices.Clone(k.template.Sidecars), k.applied.Sidecars...)
		if len(names) == 0 {
			return ""
		}
		name := pick(r, names)
		return k.patchPods(pick(r, people), fmt.Sprintf(`{"containers":[{"name":%q,"image":"%s:1.0"}]}`, name, name))
	}},
	{2, func(k *runner, r *rand.Rand) string {
		if !k.alive("StatefulSet") {
			return ""
		}
		replicas := r.IntN(4)
		k.s.Scale(k.t, "mira-"+k.client, replicas)
		k.step.touched, k.step.low = true, min(k.step.low, replicas)
		return fmt.Sprintf("kubectl scale to %d", replicas)
	}},
	{1, func(k *runner, r *rand.Rand) string {
		if !k.alive("StatefulSet") {
			return ""
		}
		replicas := r.IntN(4)
		k.s.Apply(k.t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mira-" + k.client}, "spec": map[string]any{"replicas": int64(replicas)},
		}}, "somebody")
		k.step.touched, k.step.low = true, min(k.step.low, replicas)
		return fmt.Sprintf("somebody applies replicas %d", replicas)
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.patchPods("kubectl-edit", `{"terminationGracePeriodSeconds":7,"containers":[{"name":"mira","resources":{"requests":{"memory":"300Mi"},"limits":null},"readinessProbe":null}]}`)
	}},
	{2, func(k *runner, r *rand.Rand) string {
		return k.patch("Ingress", pick(r, people), pick(r, []string{
			`{"spec":{"rules":[{"host":"hijacked.example","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"x","port":{"number":80}}}}]}}]}}`,
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
	{2, func(k *runner, _ *rand.Rand) string {
		name := fmt.Sprintf("mira-%s-0", k.client)
		k.step.lost[name] = true
		err := k.s.Admin.Resource(endpoints["Pod"]).Namespace(k.s.Namespace).Delete(k.t.Context(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			k.t.Fatal(err)
		}
		return "deleting pod " + name
	}},
	{4, func(k *runner, r *rand.Rand) string {
		kind, sort := pick(r, []string{"Service", "Ingress", "StatefulSet"}), pick(r, []string{"labels", "annotations"})
		value := fmt.Sprint(r.IntN(100))
		return k.add(kind, pick(r, controllers), fmt.Sprintf(`{"metadata":{%q:{"cost.example/centre":%q}}}`, sort, value), "metadata."+sort+"[cost.example/centre]", value)
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("kubectl-rollout", `{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}`, "metadata.annotations[kubectl.kubernetes.io/restartedAt]", "now")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("injector", `{"spec":{"containers":[{"name":"proxy","image":"proxy:1.0"}]}}`, "spec.containers[proxy].image", "proxy:1.0")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.addToPods("injector", `{"spec":{"containers":[{"name":"mira","env":[{"name":"INJECTED","value":"x"}]}]}}`, "spec.containers[mira].env[INJECTED].value", "x")
	}},
	{1, func(k *runner, _ *rand.Rand) string {
		return k.add("Service", "lb-controller", `{"spec":{"ports":[{"name":"lb","port":7000,"protocol":"TCP"}]}}`, "spec.ports[7000,TCP].name", "lb")
	}},
}

// unions choose by hand what the server does not take beside what the template
// has: another member of a union, or a name that must be unique. What people with
// kubectl put there gives way; what a program does would be an error to mend.
var unions = []func(k *runner, r *rand.Rand) string{
	func(k *runner, r *rand.Rand) string {
		return k.patchPods(pick(r, withKubectl), `{"containers":[{"name":"mira","readinessProbe":{"httpGet":null,"tcpSocket":null,"exec":{"command":["true"]}}}]}`)
	},
	func(k *runner, r *rand.Rand) string {
		return k.patchPods(pick(r, withKubectl), `{"containers":[{"name":"mira","env":[{"name":"CLIENT_NAME","value":null,"valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]}`)
	},
	func(k *runner, r *rand.Rand) string {
		p := k.applied.Ports[0]
		return k.patch("Service", pick(r, withKubectl), fmt.Sprintf(`{"spec":{"ports":[{"$patch":"delete","port":%d},{"name":%q,"port":81,"targetPort":%q}]}}`, p.Number, p.Name, p.Name))
	},
}

// disturb does one thing, and says what.
func (k *runner) disturb() string {
	if k.r.IntN(15) == 0 {
		return pick(k.r, unions)(k, k.r)
	}
	total := 0
	for _, hand := range hands {
		total += hand.weight
	}
	at := k.r.IntN(total)
	for _, hand := range hands {
		if at -= hand.weight; at < 0 {
			return hand.do(k, k.r)
		}
	}
	panic("unreachable")
}

// values replaces the placeholders of the template that is applied next.
func (k *runner) values() *strings.Replacer { return k.template.values(k.client, acctest.Domain) }

// tryFirst does by hand what the template says next: a second owner of the
// field, who must not keep it when the template drops it.
func (k *runner) tryFirst() string {
	for _, v := range k.template.Env {
		if !slices.ContainsFunc(k.applied.Env, func(has variable) bool { return has.Name == v.Name }) && v.Value != "" {
			return k.patchPods("kubectl-set", fmt.Sprintf(`{"containers":[{"name":"mira","env":[{"name":%q,"value":%s}]}]}`, v.Name, quoted(k.values().Replace(v.Value))))
		}
	}
	for _, place := range places {
		kind, sort, _ := strings.Cut(place, " ")
		for _, key := range slices.Sorted(maps.Keys(k.template.Marks[place])) {
			value := k.template.Marks[place][key]
			if _, ok := k.applied.Marks[place][key]; !ok && kind != "Pod" {
				return k.patch(kind, "kubectl-edit", fmt.Sprintf(`{"metadata":{%q:{%q:%s}}}`, sort, key, quoted(k.values().Replace(value))))
			}
		}
	}
	return ""
}

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

// add adds what is to survive.
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

// delete deletes an object; of a StatefulSet the pods stay, now and then.
func (k *runner) delete(r *rand.Rand, kind string) string {
	if !k.alive(kind) {
		return ""
	}
	name := "mira-" + k.client
	k.step.touched, k.step.deleted[kind+"/"+name] = true, true
	policy := metav1.DeletePropagationBackground
	if kind == "StatefulSet" && r.IntN(3) > 0 {
		policy = metav1.DeletePropagationOrphan
	} else {
		k.step.killed = k.step.killed || kind == "StatefulSet"
	}
	err := k.s.Admin.Resource(endpoints[kind]).Namespace(k.s.Namespace).Delete(k.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil {
		k.t.Fatal(err)
	}
	return fmt.Sprintf("deleting %s (%s)", kind, policy)
}

// ownersOf gives the managers, by field, of what is neither the provider's nor
// somebody's with kubectl or the Django controller: those give way.
func ownersOf(t *testing.T, object *unstructured.Unstructured) map[string]string {
	t.Helper()
	owners := map[string]string{}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == managedfields.DefaultName || entry.Manager == acctest.DjangoManager || strings.HasPrefix(entry.Manager, "kubectl") {
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			t.Fatal(err)
		}
		for path := range set.All() {
			owners[managedfields.FormatPath(path)] = entry.Manager
		}
	}
	return owners
}

// mergedBy are the fields that tell the items of lists apart, where the server
// merges lists; others are taken as a whole.
var mergedBy = map[string][]string{"containers": {"name"}, "env": {"name"}, "volumes": {"name"}, "volumeMounts": {"mountPath"}, "ports": {"port", "containerPort", "protocol"}}

// A whole of which nothing may be more than the template says.
var wholes = []string{"selector"}

var isPlainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// flatten gives the fields of an object by paths as plans write them, with
// values that compare: quantities in their canonical form, numbers as text. The
// length of what is owned as a whole is a field, too.
func flatten(object map[string]any, replace *strings.Replacer) map[string]any {
	fields := map[string]any{}
	var walk func(path, name string, at any)
	walk = func(path, name string, at any) {
		switch at := at.(type) {
		case nil:
		case map[string]any:
			if len(at) == 0 || slices.Contains(wholes, name) {
				fields[path+"#"] = len(at)
			}
			for key, value := range at {
				switch {
				case path == "" && key == "status" || key == "creationTimestamp" || key == "managedFields":
				case !isPlainWord.MatchString(key):
					walk(path+"["+key+"]", key, value)
				case path == "":
					walk(key, key, value)
				default:
					walk(path+"."+key, key, value)
				}
			}
		case []any:
			if mergedBy[name] == nil {
				fields[path+"#"] = len(at)
			}
			for i, item := range at {
				walk(path+"["+itemKey(name, i, item)+"]", "", item)
			}
		default:
			text := fmt.Sprint(at)
			if number, ok := at.(float64); ok {
				encoded, _ := json.Marshal(number)
				text = string(encoded)
			}
			if replace != nil {
				text = replace.Replace(text)
			}
			if quantity, err := resource.ParseQuantity(text); err == nil && strings.Contains(path, ".resources.") {
				text = quantity.String()
			}
			fields[path] = text
		}
	}
	walk("", "", object)
	return fields
}

func itemKey(list string, i int, item any) string {
	fields, ok := item.(map[string]any)
	if mergedBy[list] == nil || !ok {
		return fmt.Sprint(i)
	}
	var keys []string
	for _, key := range mergedBy[list] {
		value, ok := fields[key]
		if !ok && key == "protocol" {
			value, ok = "TCP", true
		}
		if ok {
			keys = append(keys, fmt.Sprint(value))
		}
	}
	return strings.Join(keys, ",")
}
