// Package rollout tells how far the rollout of a StatefulSet is, and waits for
// its end.
//
// # Status
//
// [Of] is a pure function of a StatefulSet and its pods. It follows the
// StatefulSet controller (pkg/controller/statefulset in kubernetes/kubernetes),
// whose status it reads: nothing in a status counts before the controller has
// seen the newest generation, pods count towards a rollout by the revision that
// they carry, and the update strategy says which pods will ever carry the newest
// one.
//
// # Waiting
//
// [Wait] watches the one StatefulSet. It does not poll, and it survives dropped
// watches, expired resource versions and restarts of the API server.
//
// # Errors
//
// [*PendingError] says what a rollout was waiting for when the caller's context
// ended, [*DeletedError] that the StatefulSet went away. Other errors are the
// API server's answers.
package rollout
