# What the policies beside this file have in common. They judge a plan in its JSON form, as `terraform show -json` and
# `tofu show -json` print it.
package mira

# The clients that the plan changes.
changes contains resource if {
	some resource in input.resource_changes
	resource.mode == "managed"
	resource.type == "mira_client"
	resource.change.actions != ["no-op"]
}

# A change's client, as `namespace/name`.
client(resource) := sprintf("%s/%s", [side.namespace, side.name]) if {
	side := object.union(values(resource.change.before), values(resource.change.after))
	side.namespace
	side.name
} else := resource.address

# The values of a side of a change, of which a create and a delete have one.
values(side) := side if is_object(side)

values(side) := {} if is_null(side)

# The fields that the client's objects have after a change: [object, path, value].
fields_after(resource) := {[object, path, value] |
	some object, fields in values(resource.change.after).objects
	some path, value in fields
}

# An input that is no plan passes no policy.
deny contains "the input is no plan: pass on what `terraform show -json PLANFILE` prints" if not input.resource_changes
