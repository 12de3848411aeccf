// Package kube talks to the Kubernetes API server: it reads, applies by server-side
// apply (for real or as a dry run), adopts what other field managers wrote, recreates
// and deletes. What belongs to whom is worked out by package managedfields.
//
// It knows objects and field managers, and nothing of MIRA's clients or templates.
//
// # Errors
//
// What the server answers comes back as a type: [*RejectedError],
// [*ConflictError], [*ForbiddenError], [*NotFoundError], or the
// UnreachableError of package connection. Each names the object.
package kube
