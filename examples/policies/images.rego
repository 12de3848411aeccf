# Clients run images of our registries alone. The registries are data, in policies.json.
package mira

deny contains message if {
	some resource in changes
	some [object, path, image] in fields_after(resource)
	endswith(path, ".image")
	not is_ours(image)
	message := sprintf("%s: %s has the image %q, which is of none of the registries %s", [
		client(resource), object, image, concat(", ", data.registries),
	])
}

# What is not known cannot be judged.
deny contains message if {
	some resource in changes
	resource.change.after_unknown.objects == true
	message := sprintf("%s: its images are known only after the apply", [client(resource)])
}

is_ours(image) if {
	some registry in data.registries
	startswith(image, concat("", [registry, "/"]))
}
