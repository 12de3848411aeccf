// Package kube talks to the Kubernetes API server: it connects, reads,
// applies by server-side apply (for real or as a dry run), adopts what other
// field managers wrote, deletes, and tells which fields of a live object this
// provider owns.
//
// It knows objects, fields and managers, and nothing of clients or templates.
//
// # Ownership
//
// Which fields are ours is read from metadata.managedFields, see
// https://kubernetes.io/docs/reference/using-api/server-side-apply/. Server
// defaults, status, and what other managers own do not count.
//
// # Errors
//
// What the server answers comes back as a type: [*RejectedError],
// [*ConflictError], [*ForbiddenError], [*NotFoundError], [*connection.UnreachableError].
// Each names the object.
package kube
