// Package managedfields reads who owns which field of an object, and works out
// what an apply, an adoption, a recreation or a restoration does to that.
//
// It is pure: it takes objects and returns fields, paths and managedFields
// entries, and talks to no server. Package kube carries out what it works out.
//
// # Ownership
//
// Which fields are ours is read from metadata.managedFields, see
// https://kubernetes.io/docs/reference/using-api/server-side-apply/. Server
// defaults, status, and what other managers own do not count.
//
// # Types
//
// [Manager] is the field manager of this provider, and what other packages begin with. It
// has two parts, which do not know of each other: the identity tells what we have written
// from what others have, and the projection turns an object into the [Fields] that are
// shown of it, in which the mask hides secrets. What an apply of ours does to a live object
// has a type for each purpose, which a manager returns: [Adoption], [Foreign] and
// [Restoration].
//
// # Why not structured-merge-diff's typed values
//
// Package typed of sigs.k8s.io/structured-merge-diff (RemoveItems, ExtractItems,
// Merge) needs the schema of each kind: without it, it treats every list as
// atomic. The schema would cost a download per process. The sets of
// managedFields carry the merge keys themselves, and that is enough for what is
// done here. Package csaupgrade of client-go merges entries of former managers;
// it is used for that.
package managedfields
