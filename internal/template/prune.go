package template

// serverMetadata are the fields of metadata that the API server sets
// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/, "System" and "Read-only").
var serverMetadata = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
	"resourceVersion", "selfLink", "uid",
}

// serverAnnotations are written by kubectl apply and by the Deployment controller.
var serverAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration",
	"deployment.kubernetes.io/revision",
}

// withoutServerFields returns an object without the fields that the API server and its controllers set, because templates
// are usually exported from a live cluster. It does not change the node itself, as aliases may share its parts.
func withoutServerFields(object *node) *node {
	object = object.replace("status", nil)
	object = within(object, withoutServerMetadata, "metadata")
	object = within(object, withoutServerAnnotations, "metadata")
	object = within(object, withoutServerMetadata, "spec", "jobTemplate", "metadata")
	for _, template := range [][]string{{"template"}, {"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		// Custom resources have templates too. What has containers is a pod template.
		if containers := object.at(append(template, "spec", "containers")...); containers != nil {
			object = within(object, withoutServerMetadata, append(template, "metadata")...)
		}
	}
	if kind, _ := object.get("kind").text(); kind == "StatefulSet" {
		object = within(object, withoutClaimFields, "spec", "volumeClaimTemplates")
	}
	return object
}

// within returns a copy of a mapping with the value at a path of keys changed, or the mapping itself if it has no such
// value.
func within(n *node, change func(*node) *node, path ...string) *node {
	if len(path) == 0 {
		return change(n)
	}
	value := n.get(path[0])
	if value == nil {
		return n
	}
	changed := within(value, change, path[1:]...)
	if changed == value {
		return n
	}
	return n.replace(path[0], changed)
}

func withoutServerMetadata(metadata *node) *node {
	for _, key := range serverMetadata {
		metadata = metadata.replace(key, nil)
	}
	return metadata
}

func withoutServerAnnotations(metadata *node) *node {
	annotations := metadata.get("annotations")
	changed := annotations
	for _, key := range serverAnnotations {
		if changed != nil {
			changed = changed.replace(key, nil)
		}
	}
	switch {
	case changed == annotations:
		return metadata
	case len(changed.fields) == 0:
		return metadata.replace("annotations", nil)
	}
	return metadata.replace("annotations", changed)
}

func withoutClaimFields(claims *node) *node {
	changed := *claims
	changed.items = make([]*node, len(claims.items))
	for i, claim := range claims.items {
		changed.items[i] = within(claim.replace("status", nil), withoutServerMetadata, "metadata")
	}
	return &changed
}
