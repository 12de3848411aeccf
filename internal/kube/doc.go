// Package kube talks to the Kubernetes API server. It knows objects and field
// managers, and nothing of MIRA's clients or templates. What can be worked out from
// objects alone is the job of package managedfields.
//
// [Client] has the verbs: it reads, applies by server-side apply, for real or as a dry
// run, adopts what other field managers wrote, recreates, restores and deletes.
// [Batcher] answers the reads of many objects with few requests. [Claims] finds and
// grows the claims of StatefulSets.
//
// # Errors
//
// What the server answers comes back as a type: [*RejectedError],
// [*ConflictError], [*ForbiddenError], [*NotFoundError], or the
// UnreachableError of package connection. Each names the object.
//
// # Repetition
//
// Requests that failed in passing are repeated, if they may be carried out twice: the
// retrier has the table. Neither an answer that got lost nor a conflict is believed where it
// matters: the object is looked at. [IsOutcomeUnknown] tells who has to look.
//
// # Log
//
// Each request has a line in the debug log of its context, and so has what is decided
// beyond single requests. Bodies and headers are never logged.
package kube
