package protocoltest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
)

// content is what is compared of two clients: the fields of each object, by their paths as
// plans write them, and what the state says of each. The client's name is NAME.
type content map[string]map[string]string

// chosen is the value of what the server chooses for each object.
const chosen = "chosen"

// stateOf begins the names of what the state says.
const stateOf = "state of "

// content returns what there is of the client. What the server chooses for each object
// alone, as an address or the port of a node, counts as "chosen": only whether there is one
// is compared.
func (c clientOf) content(t *testing.T, s *acctest.Sandbox) content {
	t.Helper()
	found := make(content)
	for _, kind := range []string{"Service", "Ingress", "StatefulSet", "Deployment"} {
		for _, object := range s.List(t, kind) {
			if object.GetLabels()["mira-cluster.io/client"] != c.name {
				continue
			}
			fields := make(contentFields)
			spec, _, _ := unstructured.NestedMap(object.Object, "spec")
			if kind == "Service" {
				c.hideChosen(t, object.GetName(), spec)
			}
			if strategy, ok := spec["updateStrategy"]; ok {
				spec["updateStrategy"] = withoutDefaults(strategy)
			}
			fields.add("spec", "", c.withoutName(t, spec))
			metadata := map[string]any{"labels": object.GetLabels(), "annotations": object.GetAnnotations()}
			fields.add("metadata", "", c.withoutName(t, metadata))
			// The controller of Deployments counts in it.
			delete(fields, "metadata.annotations[deployment.kubernetes.io/revision]")
			found[kind+"/"+strings.ReplaceAll(object.GetName(), c.name, "NAME")] = fields
		}
	}
	c.addState(t, found)
	return found
}

// addState adds what the state says, without what depends on the moment, and without the
// revision of the template: a template that changes nothing for a client leaves it as it is.
func (c clientOf) addState(t *testing.T, to content) {
	t.Helper()
	state, _ := c.withoutName(t, json.RawMessage(c.State)).(map[string]any)
	objects, _ := state["objects"].(map[string]any)
	for key, values := range objects {
		fields := make(contentFields)
		of, _ := values.(map[string]any)
		for path, value := range of {
			fields[path] = c.stateValue(t, path, fmt.Sprint(value))
		}
		to[stateOf+key] = fields
	}
	to[stateOf+"the client"] = map[string]string{"url": fmt.Sprint(state["url"]), "images": fmt.Sprint(state["images"])}
}

// stateValue returns a value of the state in the form that compares.
func (c clientOf) stateValue(t *testing.T, path, value string) string {
	t.Helper()
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case name == "nodePort" || name == "healthCheckNodePort":
		return c.portName(value)
	case name == "clusterIP" && value != "None": // an empty text asks for any address
		return chosen
	}
	var list any = value
	if strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{") {
		if err := json.Unmarshal([]byte(value), &list); err != nil {
			return value
		}
	}
	if name == "updateStrategy" {
		list = withoutDefaults(list)
	}
	data, err := json.Marshal(sameNotation(name, list))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// withoutDefaults returns the strategy of a StatefulSet without the `rollingUpdate` of which all is
// as it is by default. The server fills it in only where the type is left out, too, and takes it for
// the same where it is absent. So a template that spells out the type plans nothing.
func withoutDefaults(strategy any) any {
	fields, ok := strategy.(map[string]any)
	if !ok {
		return strategy
	}
	details, _ := fields["rollingUpdate"].(map[string]any)
	for name, standard := range map[string]string{"partition": "0", "maxUnavailable": "1"} {
		if value, ok := details[name]; ok && fmt.Sprint(value) != standard {
			return strategy
		}
	}
	same := maps.Clone(fields)
	delete(same, "rollingUpdate")
	return same
}

// hideChosen replaces what the server chooses for a Service.
func (c clientOf) hideChosen(t *testing.T, service string, spec map[string]any) {
	t.Helper()
	var state struct{ Objects map[string]map[string]string }
	if err := json.Unmarshal(c.State, &state); err != nil {
		t.Fatal(err)
	}
	asked := state.Objects["Service/"+service]
	if address, ok := spec["clusterIP"]; ok && address != "None" {
		spec["clusterIP"] = chosen
	}
	if number, ok := spec["healthCheckNodePort"]; ok {
		spec["healthCheckNodePort"] = c.portName(fmt.Sprint(number))
	}
	if addresses, _ := spec["clusterIPs"].([]any); len(addresses) > 0 && addresses[0] != "None" {
		spec["clusterIPs"] = chosen
	}
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		fields := port.(map[string]any)
		number, ok := fields["nodePort"]
		if !ok {
			continue
		}
		// The server gives two ports of one number and two protocols the same one.
		fields["nodePort"] = chosen
		if asked[fmt.Sprintf("spec.ports[%v,%v].nodePort", fields["port"], fields["protocol"])] != "" {
			fields["nodePort"] = c.portName(fmt.Sprint(number))
		}
	}
}

// portName returns for the port of a node the variable by which the client asks for it.
func (c clientOf) portName(number string) string {
	for name, value := range c.ports {
		if value == number {
			return name
		}
	}
	return chosen
}

// withoutName returns a value as JSON decodes it, without the client's name.
func (c clientOf) withoutName(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var like any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), c.name, "NAME")), &like); err != nil {
		t.Fatal(err)
	}
	return like
}

// contentKeys are the fields that identify the items of lists, as server-side apply merges
// them. Other lists are one value.
var contentKeys = map[string][]string{
	"containers": {"name"}, "initContainers": {"name"}, "env": {"name"}, "volumes": {"name"}, "imagePullSecrets": {"name"},
	"claims": {"name"}, "volumeMounts": {"mountPath"}, "volumeDevices": {"devicePath"}, "hostAliases": {"ip"},
	"topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
	"ports":                     {"containerPort", "port", "protocol"}, // of a container and of a Service
}

// contentFields are fields by their paths.
type contentFields map[string]string

// add adds a field, which has a name, and those below it. The order of a list is a field, too.
func (f contentFields) add(path, name string, value any) {
	switch value := value.(type) {
	case nil:
		return
	case map[string]any:
		for key, field := range value {
			if isPlainWord.MatchString(key) {
				f.add(path+"."+key, key, field)
			} else {
				f.add(path+"["+key+"]", key, field)
			}
		}
		if len(value) > 0 {
			return
		}
	case []any:
		if keys := keysOfItems(name, value); len(keys) > 0 {
			for i, item := range value {
				f.add(path+"["+keys[i]+"]", "", item)
			}
			if len(keys) > 1 {
				f[path+".order"] = strings.Join(keys, " ")
			}
			return
		}
	}
	data, err := json.Marshal(sameNotation(name, value))
	if err != nil {
		panic(err) // it comes from JSON
	}
	f[path] = string(data)
}

// keysOfItems returns what identifies the items of a list; nil for a list that is one value.
func keysOfItems(list string, items []any) []string {
	var keys []string
	for _, item := range items {
		fields, _ := item.(map[string]any)
		var values []string
		for _, name := range contentKeys[list] {
			if value, ok := fields[name]; ok {
				values = append(values, fmt.Sprint(value))
			}
		}
		if len(values) == 0 {
			return nil
		}
		keys = append(keys, strings.Join(values, ","))
	}
	return keys
}

// sameNotation returns a value with all quantities in it in one notation. 1024Mi and 1Gi are
// the same value, and no plan shows a change from one to the other.
func sameNotation(name string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		same := make(map[string]any, len(value))
		for key, field := range value {
			same[key] = sameNotation(key, field)
		}
		return same
	case []any:
		same := make([]any, 0, len(value))
		for _, item := range value {
			same = append(same, sameNotation("", item))
		}
		return same
	}
	if !slices.Contains([]string{"cpu", "memory", "storage", "ephemeral-storage", "sizeLimit", "divisor"}, name) {
		return value
	}
	quantity, err := resource.ParseQuantity(fmt.Sprint(value))
	if err != nil {
		return value
	}
	return quantity.AsDec().String()
}

// difference is a field in which a client is not what a new one is.
type difference struct{ object, path, model, moved string }

func (d difference) String() string {
	return fmt.Sprintf("%s %s: a new one has %s, the moved one %s", d.object, d.path, d.model, d.moved)
}

// differencesOf returns in what a client that has moved is not like a new one.
func differencesOf(model, moved content) []difference {
	var found []difference
	for _, object := range keysOf(model, moved) {
		for _, path := range keysOf(model[object], moved[object]) {
			has, ok := model[object][path]
			now, isThere := moved[object][path]
			if has == now && ok == isThere || ok != isThere && isSpeltOut(model, moved, object, path) {
				continue
			}
			d := difference{object: object, path: path, model: "nothing", moved: "nothing"}
			if ok {
				d.model = has
			}
			if isThere {
				d.moved = now
			}
			found = append(found, d)
		}
	}
	return found
}

// isSpeltOut reports whether a field of the state has the same value on both objects: a template
// that spells out what the server fills in anyway, or leaves it out again, is no reason to
// write, and so to change who owns the field.
func isSpeltOut(model, moved content, object, path string) bool {
	key, isState := strings.CutPrefix(object, stateOf)
	has, now := below(model[key], path), below(moved[key], path)
	return isState && len(has) > 0 && maps.Equal(has, now)
}

// below returns the fields of an object at a path and below it.
func below(fields map[string]string, path string) map[string]string {
	found := make(map[string]string)
	for field, value := range fields {
		if rest, ok := strings.CutPrefix(field, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			found[field] = value
		}
	}
	return found
}

// keysOf returns the keys of two maps, sorted.
func keysOf[V any](a, b map[string]V) []string {
	all := make(map[string]bool)
	for key := range a {
		all[key] = true
	}
	for key := range b {
		all[key] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Titles of warnings that name fields.
const (
	staysTitle    = "Server Keeps Dropped Fields"
	earlierTitle  = "Server Keeps Earlier Values"
	sharedTitle   = "Dropped Fields Stay"
	defaultsTitle = "Dropped Fields Get Default Values"
)

// recreatedTitle is that of the warning of a Service that gets or loses its address.
const recreatedTitle = "Service Will Be Recreated"

func containsTitle(warnings []string, title string) bool {
	return slices.ContainsFunc(warnings, func(warning string) bool { return strings.HasPrefix(warning, title) })
}

// isNamed reports whether a warning with one of some titles names a field, or one that
// holds it.
func (c clientOf) isNamed(warnings []string, object, path string, titles ...string) bool {
	object = strings.ReplaceAll(strings.TrimPrefix(object, stateOf), "NAME", c.name)
	for _, warning := range warnings {
		title, text, _ := strings.Cut(warning, "\n")
		if !slices.ContainsFunc(titles, func(t string) bool { return strings.HasPrefix(title, t) }) {
			continue
		}
		for line := range strings.Lines(text) {
			_, field, ok := strings.Cut(line, object+" ")
			if !ok {
				continue
			}
			field, _, _ = strings.Cut(strings.TrimSpace(field), ": ")
			field, _, _ = strings.Cut(field, ", also set by")
			rest, isBelow := strings.CutPrefix(path, field)
			if isBelow && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				return true
			}
		}
	}
	return false
}
