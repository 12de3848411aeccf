# Nobody takes replicas from a client that stays.
package mira

deny contains message if {
	some resource in changes
	some object, fields in values(resource.change.before).objects
	startswith(object, "StatefulSet/")
	before := replicas(fields)
	after := replicas(resource.change.after.objects[object])
	after < before
	message := sprintf("%s: %s goes from %d to %d replicas", [client(resource), object, before, after])
}

deny contains message if {
	some resource in changes
	resource.change.actions == ["update"]
	some object, _ in resource.change.before.objects
	startswith(object, "StatefulSet/")
	is_object(resource.change.after.objects)
	not resource.change.after.objects[object]
	message := sprintf("%s: %s is removed", [client(resource), object])
}

# Kubernetes runs one replica where the template does not say how many.
replicas(fields) := to_number(object.get(fields, "spec.replicas", "1"))
