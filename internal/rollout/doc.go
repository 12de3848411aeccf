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
// A [Watcher] serves all who wait in a process, by one watch of StatefulSets and
// one of pods for each namespace. It does not poll, and it survives dropped
// watches, expired resource versions and restarts of the API server.
//
// # Failing
//
// [Failures] is a pure function, too: what is wrong right now with the pods of the
// newest revision. What outlasts a grace ends [Watcher.Wait] with a
// [*FailedError], which holds the last log lines and the events.
//
// # Freeing
//
// The StatefulSet controller does not replace a pod of an older revision that is
// broken (kubernetes/kubernetes issue 67250). [Options] let a wait do so.
//
// # Errors
//
// [*FailedError] says why a rollout does not end well, [*PendingError] what it was
// waiting for when the caller's context ended, [*DeletedError] that the
// StatefulSet went away. Other errors are the API server's answers.
package rollout
