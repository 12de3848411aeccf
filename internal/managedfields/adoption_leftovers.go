package managedfields

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Drops reports whether the apply drops a field that the live object has, or changes one
// from which the server derives others. Only then can there be [Adoption.Leftovers].
func (a Adoption) Drops() bool {
	if !a.dropped().Empty() || a.changesSelector() {
		return true
	}
	for field, at := range leaves(a.manager.ownedSet(a.result)) {
		// The server may have filled in what it was before.
		before, ok := a.manager.valueAt(a.live, at)
		after, _ := a.manager.valueAt(a.result, at)
		if ok && before != after && steersDefaults(field, before, after) {
			return true
		}
	}
	return false
}

// hasAnotherValue reports whether the result has another value in a field than the live object: the
// server does not keep it.
func (a Adoption) hasAnotherValue(field Leftover) bool {
	before, _ := lookUp(a.live.Object, field.at)
	after, _ := lookUp(a.result.Object, field.at)
	return !equality.Semantic.DeepEqual(before, after)
}

// changesSelector reports whether a Service without an address gets a selector, or loses it:
// the server chooses its families of addresses by that.
func (a Adoption) changesSelector() bool {
	if !IsService(a.live) || !IsHeadless(a.result) {
		return false
	}
	return (serviceSpec(a.live)["selector"] == nil) != (serviceSpec(a.result)["selector"] == nil)
}

// steersDefaults reports whether the server fills in other fields by this one, so that a
// change of it can leave them as they were.
func steersDefaults(field, before, after string) bool {
	switch name := field[strings.LastIndexByte(field, '.')+1:]; name {
	case "image":
		return isLatest(before) != isLatest(after) // the imagePullPolicy
	case "hostNetwork", "type", "serviceAccountName", "allocateLoadBalancerNodePorts":
		return true
	}
	return false
}

// isLatest reports whether an image has the tag latest, or none.
func isLatest(image string) bool {
	name := image[strings.LastIndexByte(image, '/')+1:]
	return strings.HasSuffix(name, ":latest") || !strings.ContainsAny(name, ":@")
}

// Keeps reports whether the server keeps another value of a field than the one that is
// applied: it takes an empty text for a field that is not there, and the deprecated
// serviceAccount gives way to the serviceAccountName that it has filled in.
func (a Adoption) Keeps(applied *unstructured.Unstructured) bool {
	for _, at := range leaves(a.manager.ownedSet(a.result)) {
		wanted, ok := lookUp(applied.Object, at)
		isKept := wanted == "" || lastName(at) == "serviceAccount"
		if got, _ := lookUp(a.result.Object, at); ok && isKept && got != wanted && got != "" && got != nil {
			return true
		}
	}
	return false
}

// Leftovers returns in what the result of the apply differs from `fresh`, a new object of
// the same content, by no other manager's doing. Metadata and status do not count, nor
// what is the server's choice for each object, unless we drop it. Neither does the number
// of replicas: a scale to zero leaves it to no manager.
//
// What never was ours below a pod template counts only if the pods are replaced anyway.
func (a Adoption) Leftovers(fresh *unstructured.Unstructured) Leftovers {
	dropped, applied := a.dropped(), a.manager.ownedSet(a.result)
	found := compare(a.manager.projection, a.result, fresh, a.others(dropped))
	found = slices.DeleteFunc(found, func(leftover Leftover) bool {
		return isChosen(a.result, leftover) && (!hasBelow(dropped, leftover.at) || a.hasAnotherValue(leftover))
	})
	replacesPods := !sameField(a.live, a.result, "spec", "template")
	for i := range found {
		found[i].IsApplied = applied.Has(found[i].at)
		found[i].IsDropped = !found[i].IsApplied && hasBelow(dropped, found[i].at)
		replacesPods = replacesPods || found[i].isOfPods() && (found[i].IsDropped || found[i].IsApplied)
	}
	return slices.DeleteFunc(found, func(leftover Leftover) bool {
		return leftover.isOfPods() && !leftover.IsDropped && !leftover.IsApplied && !replacesPods
	})
}

// Emptied returns the maps that we apply without fields, that one object has, and that another one
// lacks, which is the result of an apply of the same content: where the apply drops the last field of
// a map, the server drops the map, too.
func (m *Manager) Emptied(result, wanted *unstructured.Unstructured) EmptyMaps {
	var emptied EmptyMaps
	for _, at := range leaves(m.ownedSet(wanted)) {
		stored, _ := lookUp(wanted.Object, at)
		_, isMap := stored.(map[string]any)
		if _, isThere := lookUp(result.Object, at); isMap && !isThere {
			emptied = append(emptied, fieldValue{at: at, value: stored})
		}
	}
	return emptied
}

// EmptyMaps are maps that are applied without fields, as the server stores them.
type EmptyMaps []fieldValue

// In returns an object that has the maps.
func (e EmptyMaps) In(object *unstructured.Unstructured) *unstructured.Unstructured {
	if len(e) == 0 {
		return object
	}
	object = object.DeepCopy()
	for _, field := range e {
		with(object.Object, field.at, field.value)
	}
	return object
}

// Fallbacks returns the fields that the apply drops, and those of some leftovers, that get
// another value by that: what they have, and what the server fills in.
func (a Adoption) Fallbacks(leftovers Leftovers) (before, after Fields) {
	before, after = make(Fields), make(Fields)
	dropped := a.dropped()
	others := a.others(dropped)
	paths := leaves(dropped)
	for _, leftover := range leftovers {
		paths[leftover.Field] = leftover.at
	}
	for path, at := range paths {
		had, wasThere := a.manager.valueAt(a.live, at)
		gets, isThere := a.manager.valueAt(a.result, at)
		if wasThere && isThere && had != gets && !hasBelow(others, at) && !isMergeKey(at) {
			before[path], after[path] = had, gets
		}
	}
	return before, after
}

// others returns the fields that other managers own on the result, without those that the
// apply takes from them.
func (a Adoption) others(dropped *fieldpath.Set) *fieldpath.Set {
	isAdopted := a.manager.Adopted(a.live)
	others := &fieldpath.Set{}
	for _, entry := range a.result.GetManagedFields() {
		switch {
		case a.manager.isOurs(entry), a.manager.endsWithAdoption(entry, isAdopted), entry.Subresource == statusSubresource:
		case a.manager.isFormer(entry):
			others = others.Union(decodeSet(entry).Difference(dropped))
		default:
			others = others.Union(decodeSet(entry))
		}
	}
	return others
}

// isChosen reports whether a field has a value that the server chooses for each object, or
// that is scaled by others without their owning it.
func isChosen(object *unstructured.Unstructured, l Leftover) bool {
	name := lastName(l.at)
	if IsService(object) {
		// A new one may have none, as a load balancer that goes without the ports of nodes.
		return !l.IsExtra && (slices.Contains(allocated, name) || name == "nodePort")
	}
	return l.Field == "spec.replicas"
}

func sameField(a, b *unstructured.Unstructured, path ...string) bool {
	of := func(object *unstructured.Unstructured) any {
		field, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		return field
	}
	return equality.Semantic.DeepEqual(of(a), of(b))
}
