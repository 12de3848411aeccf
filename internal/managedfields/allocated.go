package managedfields

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// headless is the clusterIP of a Service without an address.
const headless = "None"

// allocated are the fields of a Service that the server chooses for each object, and that
// no two objects share. Those of its ports are beside them.
var allocated = []string{"clusterIP", "clusterIPs", "healthCheckNodePort"}

// IsService reports whether an object is a Service.
func IsService(object *unstructured.Unstructured) bool {
	return object.GetAPIVersion() == "v1" && object.GetKind() == "Service"
}

// IsHeadless reports whether a Service has, or asks for, no address.
func IsHeadless(service *unstructured.Unstructured) bool {
	address, _, _ := unstructured.NestedString(service.Object, "spec", "clusterIP")
	addresses, _, _ := unstructured.NestedStringSlice(service.Object, "spec", "clusterIPs")
	return address == headless || slices.Contains(addresses, headless)
}

// GetsSelector reports whether a headless Service has no selector, and is to have one.
func GetsSelector(live, result *unstructured.Unstructured) bool {
	return IsHeadless(live) && serviceSpec(live)["selector"] == nil && serviceSpec(result)["selector"] != nil
}

// fieldValue is a field with its value.
type fieldValue struct {
	at    fieldpath.Path
	value any
}

// AllocatedFields are those that [ReleaseAllocated] has taken out of an object.
type AllocatedFields []fieldValue

// ReleaseAllocated removes from an object what it shares with the live one and no two
// objects can have: the server would refuse it under another name. It returns what it has
// removed.
func ReleaseAllocated(object, live *unstructured.Unstructured) AllocatedFields {
	if !IsService(object) || IsHeadless(object) {
		return nil
	}
	var released AllocatedFields
	release := func(from, has map[string]any, at fieldpath.Path) {
		name := *at[len(at)-1].FieldName
		if wanted, ok := from[name]; ok && value.Equals(value.NewValueInterface(wanted), value.NewValueInterface(has[name])) {
			released = append(released, fieldValue{at: at, value: wanted})
			delete(from, name)
		}
	}
	spec, has := serviceSpec(object), serviceSpec(live)
	for _, name := range allocated {
		release(spec, has, fieldpath.MakePathOrDie("spec", name))
	}
	for _, port := range portsOf(spec) {
		key := fieldpath.KeyByFields("port", port["port"], "protocol", protocolOf(port))
		for _, same := range portsOf(has) { // it may move from one port to another
			release(port, same, fieldpath.MakePathOrDie("spec", "ports", key, "nodePort"))
		}
	}
	return released
}

// KeepAllocated gives an object what the server has chosen for the live one, except for
// what is asked for.
func KeepAllocated(object, live, asked *unstructured.Unstructured) {
	if !IsService(object) {
		return
	}
	spec, has, wanted := serviceSpec(object), serviceSpec(live), serviceSpec(asked)
	keep := func(to, from, asked map[string]any, name string) {
		kept, isThere := from[name]
		if isThere && !isAsked(asked, name) {
			to[name] = kept
		}
	}
	for _, name := range allocated {
		keep(spec, has, wanted, name)
	}
	for _, port := range portsOf(spec) {
		keep(port, portLike(has, port), portLike(wanted, port), "nodePort")
	}
}

// WithoutAllocated removes from a Service what the server chooses for each object, except for what is
// asked for.
func WithoutAllocated(object, asked *unstructured.Unstructured) {
	spec, wanted := serviceSpec(object), serviceSpec(asked)
	for _, name := range allocated {
		if _, isThere := wanted[name]; isThere && !isAsked(wanted, name) {
			spec[name] = wanted[name]
		} else if !isThere {
			delete(spec, name)
		}
	}
	for _, port := range portsOf(spec) {
		if !isAsked(portLike(wanted, port), "nodePort") {
			delete(port, "nodePort")
		}
	}
}

// isAsked reports whether something is asked for. An empty text asks for any address, and 0 for
// any port.
func isAsked(fields map[string]any, name string) bool {
	asked, isThere := fields[name]
	return isThere && asked != "" && asked != int64(0)
}

// serviceSpec returns the spec of an object itself, not a copy.
func serviceSpec(object *unstructured.Unstructured) map[string]any {
	spec, _ := object.Object["spec"].(map[string]any)
	return spec
}

func portsOf(spec map[string]any) []map[string]any {
	items, _ := spec["ports"].([]any)
	var ports []map[string]any
	for _, item := range items {
		if port, ok := item.(map[string]any); ok {
			ports = append(ports, port)
		}
	}
	return ports
}

// portLike returns the port of the same number and protocol; nil if there is none.
func portLike(spec, like map[string]any) map[string]any {
	for _, port := range portsOf(spec) {
		if port["port"] == like["port"] && protocolOf(port) == protocolOf(like) {
			return port
		}
	}
	return nil
}

func protocolOf(port map[string]any) string {
	if protocol, ok := port["protocol"].(string); ok {
		return protocol
	}
	return "TCP"
}

// WithApplied returns an object as if some more fields had been applied to it by us.
func (m *Manager) WithApplied(object *unstructured.Unstructured, fields AllocatedFields) (*unstructured.Unstructured, error) {
	if len(fields) == 0 {
		return object, nil
	}
	object = object.DeepCopy()
	set := fieldpath.NewSet()
	for _, field := range fields {
		with(object.Object, field.at, field.value)
		set.Insert(field.at)
	}
	entries, err := m.owning(object.GetManagedFields(), set)
	if err != nil {
		return nil, err
	}
	object.SetManagedFields(entries)
	return object, nil
}
