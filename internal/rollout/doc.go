// Package rollout says how far the rollout of a StatefulSet is, waits for its end, and
// decides when the rollouts of a fleet may start.
//
// # Status
//
// [StatusOf] is a pure function of a StatefulSet and its pods. It follows the
// StatefulSet controller (pkg/controller/statefulset in kubernetes/kubernetes), whose
// status it reads: a status counts only if it is about the newest generation, pods are
// counted by the revision that they carry, and the update strategy decides which pods
// get the newest revision.
//
// # Waiting
//
// A [Watcher] serves all waits of a process. It uses one watch of StatefulSets and one
// of pods for each namespace. It does not poll, and it survives dropped watches, expired
// resource versions and restarts of the API server.
//
// Its informers are client-go's shared informers, except for two things. They note
// themselves how the server answers each request, because the watch error handler of a
// shared informer is called only for some errors, and never for the success after them.
// And they repeat requests to a server that cannot be reached with pauses of their own,
// because those of a shared informer grow up to a minute and cannot be set.
//
// # Failures
//
// A wait also looks for failures of pods of the newest revision, and for pods that cannot
// be created. What lasts longer than a grace ends [Watcher.Wait] with a [*FailedError],
// which holds the last log lines and the events.
//
// To be ready is not enough: the pods of the newest revision have to stay ready for some
// time, the soak.
//
// What the watches show counts only while there is contact with the server. An outage
// neither completes a rollout nor lets it fail.
//
// # Stuck pods
//
// The StatefulSet controller does not replace a broken pod of an older revision
// (kubernetes/kubernetes issue 67250). [Options] can allow a wait to delete it.
//
// # Gate
//
// A [Gate] starts the rollouts of a fleet in waves, and none any more after too many
// failures.
//
// # Errors
//
// [*FailedError] says why a rollout fails, [*PendingError] what it was waiting for when
// the caller's context ended, [*DeletedError] that the StatefulSet was deleted,
// [*ReplaceError] which pods were not replaced, and [*GateClosedError] why a rollout was
// not started. Other errors are answers of the API server.
package rollout
