package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// keyedItems are the fields by which Kubernetes tells the items of a list apart (x-kubernetes-list-map-keys), by the names
// of lists. The list of one container has `containers` and those below them, that of a pod the rest.
type keyedItems map[string][]string

var (
	podLists = keyedItems{
		"containers": {"name"}, "initContainers": {"name"}, "ephemeralContainers": {"name"}, "volumes": {"name"},
		"imagePullSecrets": {"name"}, "hostAliases": {"ip"}, "topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
		"resourceClaims": {"name"}, "schedulingGates": {"name"},
	}
	containerLists = keyedItems{
		"env": {"name"}, "ports": {"containerPort", "protocol"}, "volumeMounts": {"mountPath"}, "volumeDevices": {"devicePath"},
	}
	serviceLists = keyedItems{"ports": {"port", "protocol"}}
)

// podSpecs are where the kinds of Kubernetes have the specification of a pod.
var podSpecs = map[schema.GroupKind][]string{
	{Kind: "Pod"}:                       {"spec"},
	{Kind: "PodTemplate"}:               {"template", "spec"},
	{Kind: "ReplicationController"}:     {"spec", "template", "spec"},
	statefulSetKind:                     {"spec", "template", "spec"},
	{Group: "apps", Kind: "Deployment"}: {"spec", "template", "spec"},
	{Group: "apps", Kind: "DaemonSet"}:  {"spec", "template", "spec"},
	{Group: "apps", Kind: "ReplicaSet"}: {"spec", "template", "spec"},
	{Group: "batch", Kind: "Job"}:       {"spec", "template", "spec"},
	cronJobKind:                         {"spec", "jobTemplate", "spec", "template", "spec"},
}

// duplicates checks that no list has two items with the same merge key. A create takes that in some lists, with a warning,
// and the last item counts; an apply takes it in none. The API server's error would name no line.
func (c *checker) duplicates(o *Object, kind schema.GroupKind, fail failFunc) {
	if kind == serviceKind {
		c.duplicatesOf(o, []string{"spec"}, serviceLists, fail)
	}
	spec, ok := podSpecs[kind]
	if !ok {
		return
	}
	c.duplicatesOf(o, spec, podLists, fail)
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		at := slices.Concat(spec, []string{list})
		containers, _ := value(o.Object, at...).([]any)
		for i := range containers {
			c.duplicatesOf(o, slices.Concat(at, []string{strconv.Itoa(i)}), containerLists, fail)
		}
	}
}

// duplicatesOf checks the lists of a mapping at a path.
func (c *checker) duplicatesOf(o *Object, path []string, lists keyedItems, fail failFunc) {
	fields, _ := valueAt(o.Object, path).(map[string]any)
	for name, content := range fields {
		items, isList := content.([]any)
		keys, isKeyed := lists[name]
		if !isList || !isKeyed || len(items) < 2 {
			continue
		}
		seen := make(map[string]int, len(items)) // indexes
		for i, item := range items {
			key, ok := liveKey(keys, item)
			if !ok {
				continue // the server says what is missing
			}
			before, isDuplicate := seen[key]
			seen[key] = i
			if !isDuplicate {
				continue
			}
			list := slices.Concat(path, []string{name})
			at := slices.Concat(list, []string{strconv.Itoa(i)})
			first := o.LineOf(slices.Concat(list, []string{strconv.Itoa(before)})...)
			fail(o.LineOf(at...), pathOf(at).String(), Error{Reason: fmt.Sprintf(
				"another item with %s begins in line %d already. Kubernetes tells the items of %s apart by that, and the last one counts: "+
					"remove the other", describeKey(keys, key), first, name)})
		}
	}
}

// describeKey formats the values of merge keys.
func describeKey(keys []string, values string) string {
	if len(keys) == 1 {
		return keys[0] + " " + values
	}
	texts := strings.Split(values, ",")
	for i, key := range keys {
		texts[i] = key + " " + texts[i]
	}
	return strings.Join(texts, " and ")
}

// valueAt returns the value at a path of keys and indexes, or nil.
func valueAt(object any, path []string) any {
	for _, element := range path {
		switch at := object.(type) {
		case map[string]any:
			object = at[element]
		case []any:
			i, err := strconv.Atoi(element)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			object = at[i]
		default:
			return nil
		}
	}
	return object
}
