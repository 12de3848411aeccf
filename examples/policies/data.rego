# No client's data is deleted without an approval. Whoever removes the client adds it, as `namespace/name`, to
# delete_data_of in policies.json, so that whoever reviews the pull request sees it there.
package mira

deny contains message if {
	some resource in changes
	"delete" in resource.change.actions
	resource.change.before.delete_data == true
	deleted := sprintf("%s/%s", [resource.change.before.namespace, resource.change.before.name])
	not deleted in data.delete_data_of
	message := sprintf("%s: its data would be deleted (PersistentVolumeClaim %s): approve it in delete_data_of", [
		deleted, concat(", ", resource.change.before.persistent_volume_claims),
	])
}

# Kubernetes itself would delete claims with a StatefulSet, or with replicas that go.
deny contains message if {
	some resource in changes
	some [object, path, value] in fields_after(resource)
	startswith(path, "spec.persistentVolumeClaimRetentionPolicy.")
	value == "Delete"
	not client(resource) in data.delete_data_of
	message := sprintf("%s: %s has Kubernetes delete claims (%s): approve it in delete_data_of", [client(resource), object, path])
}
