package mira

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// action is what an apply does to one object.
type action int

const (
	// actionNone: the object is as the template wants it.
	actionNone action = iota + 1
	// actionApply: the object is created, adopted or changed by a server-side apply.
	actionApply
	// actionRecreate: the object is deleted and created again around its pods.
	actionRecreate
	// actionDelete: the object is recorded, and the template does not have it any more.
	actionDelete
)

func (a action) String() string {
	switch a {
	case actionNone:
		return "none"
	case actionApply:
		return "apply"
	case actionRecreate:
		return "recreate"
	case actionDelete:
		return "delete"
	}
	return "unknown"
}

// objectChange is what an apply does, or would do, to one object of a client.
type objectChange struct {
	action action
	ref    kube.Ref

	// What is recorded of the object.

	prior       managedfields.Fields      // nil for a new object; see removal
	fingerprint managedfields.Fingerprint // of the last apply; zero if there is none

	// What is asked. Both are nil for actionDelete.

	manifest *unstructured.Unstructured // as the template has it
	applied  *unstructured.Unstructured // as it is applied: the manifest, with quantities in the notation of the live object
	// isOverridden: what is applied holds values on which admission insists.
	isOverridden bool

	// What is read. It is nil if there is no such object, and not read for actionDelete.

	live *unstructured.Unstructured

	// first is the server's answer to a dry run that was asked for before the object was read.
	first firstAnswer
	// isReused: all this was found out by the plan before; the write makes sure that it holds.
	isReused bool

	// What comes out.

	dryRun *unstructured.Unstructured // what the server promises; the live object for actionNone
	stored *unstructured.Unstructured // what the server has stored; nil until the object is written

	// Parts.

	unchanged  objectState          // what is recorded of the object for actionNone
	recreation *recreation          // of actionRecreate, and of no other action
	removal    managedfields.Fields // fields set by hand that go, with their live values
	// leftovers are fields that go although they are not ours: the server has filled them
	// in for what the object was, or others have taken them. kept are those that the server
	// keeps; they are applied with their live values. differing are those of which it keeps what
	// it has filled in itself.
	leftovers, kept, differing managedfields.Leftovers
	claims                     claimChanges
}

// firstAnswer is the server's answer to the dry run of an object of which it was not known
// whether it is there. Without a result and a refusal there is none.
type firstAnswer struct {
	result  *unstructured.Unstructured
	refusal error
}

// objectState is what is recorded of one object.
type objectState struct {
	fields      managedfields.Fields
	fingerprint managedfields.Fingerprint // zero where there is none
}

// recreation is how a StatefulSet is recreated.
type recreation struct {
	*kube.Recreation
	// refusal is why it cannot be recreated around its pods and claims; nil if it can.
	refusal error
	// withoutClaim are the pods that lack a claim which the StatefulSet gets. They are
	// replaced.
	withoutClaim []rollout.Pod
}

// claimChanges is what becomes of existing claims with the change of a StatefulSet.
type claimChanges struct {
	growing  []ClaimGrowth // those that are to grow, and that the server allows to
	tooSmall []ClaimGrowth // those that it does not: they are not bound
	// found are those that a new StatefulSet finds and that are not recorded of the client.
	found []string
	// atRisk: the live StatefulSet goes or shrinks, and has Kubernetes delete its claims
	// then. They are made safe first. These are the fields of its policy that say so.
	atRisk []string
}

// newObjectChange returns the change that applies an object of the manifest. It is
// what happens unless a read or a dry run says otherwise.
func newObjectChange(object *unstructured.Unstructured, prior objectState) *objectChange {
	return &objectChange{
		action: actionApply, ref: kube.RefOf(object), manifest: object, applied: object,
		prior: prior.fields, fingerprint: prior.fingerprint,
	}
}

// newDeletion returns the change that deletes a recorded object.
func newDeletion(ref kube.Ref) *objectChange {
	return &objectChange{action: actionDelete, ref: ref}
}

// keep leaves the live object as it is.
func (c *objectChange) keep(state objectState) {
	c.action, c.dryRun, c.unchanged = actionNone, c.live, state
}

// recreate replaces the apply by a recreation.
func (c *objectChange) recreate(plan *kube.Recreation) {
	c.action, c.recreation = actionRecreate, &recreation{Recreation: plan}
	c.dryRun, c.removal = plan.Result, plan.Removed
}

// refusal is why a StatefulSet cannot be recreated around its pods and claims; nil
// where nothing is to be recreated, or it can be done.
func (c *objectChange) refusal() error {
	if c.recreation == nil {
		return nil
	}
	return c.recreation.refusal
}

// result is the object as the server has stored it, or as it will.
func (c *objectChange) result() *unstructured.Unstructured {
	if c.stored != nil {
		return c.stored
	}
	return c.dryRun
}

// isOwn reports whether the object is there and carries the client's label.
func (c *objectChange) isOwn(client string) bool {
	return c.live != nil && c.live.GetLabels()[ClientLabel] == client
}

// writesToLive reports whether the apply writes to an object that exists.
func (c *objectChange) writesToLive() bool {
	return c.live != nil && (c.action == actionApply || c.action == actionRecreate)
}

// startsRollout reports whether the write of a StatefulSet began a rollout, or may
// have: an apply that changes nothing of its spec leaves the generation as it is.
func (c *objectChange) startsRollout() bool {
	return c.live == nil || c.action == actionRecreate || c.live.GetGeneration() != c.result().GetGeneration()
}

// keepsPodTemplate reports whether the pod template stays as it is.
func (c *objectChange) keepsPodTemplate() bool {
	before, _, _ := unstructured.NestedMap(c.live.Object, "spec", "template")
	after, _, _ := unstructured.NestedMap(c.dryRun.Object, "spec", "template")
	return equality.Semantic.DeepEqual(before, after)
}

// adoption is what the apply does to the ownership of the live object.
func (c *objectChange) adoption(m *managedfields.Manager) managedfields.Adoption {
	return m.Adoption(c.live, c.dryRun, c.prior).Claiming(c.leftovers)
}

// isSettled reports whether the live object is what the apply makes of it, so that it need
// not be looked at again until it changes: all that is applied is ours already, and the
// server keeps nothing that a new object would not have.
func (c *objectChange) isSettled(m *managedfields.Manager) bool {
	return !c.isOverridden && len(c.leftovers) == 0 && m.OwnsAll(c.live, c.dryRun)
}

// state is what is recorded of the object, as a plan shows it and an apply stores it.
func (c *objectChange) state(m *managedfields.Manager) objectState {
	if c.action == actionNone {
		return c.unchanged
	}
	state := objectState{fields: m.Owned(c.result())}
	// What admission changed at one write it may leave alone at the next.
	if c.stored != nil && !c.isOverridden && len(m.AdmissionChanges(c.manifest, c.stored)) == 0 {
		state.fingerprint = m.FingerprintOf(c.manifest, c.stored)
	}
	return state
}

// changeSet is what an apply does to the objects of a client: those of the manifest, in
// template order, and then those to delete, in the order in which they were created.
type changeSet []*objectChange

// withManifest returns the changes of the objects that the template has.
func (s changeSet) withManifest() changeSet {
	for i, c := range s {
		if c.action == actionDelete {
			return s[:i]
		}
	}
	return s
}

// deletions returns the changes that delete objects.
func (s changeSet) deletions() changeSet { return s[len(s.withManifest()):] }

// withDeletions adds the objects that are recorded and not in the change set.
func (s changeSet) withDeletions(prior *State) changeSet {
	if prior == nil {
		return s
	}
	kept := s
	for _, ref := range prior.Refs {
		if !kept.has(ref) {
			s = append(s, newDeletion(ref))
		}
	}
	return s
}

func (s changeSet) has(ref kube.Ref) bool {
	for _, c := range s {
		if c.ref.SameObject(ref) {
			return true
		}
	}
	return false
}

// refs names the objects of the manifest as the server has them.
func (s changeSet) refs() []kube.Ref {
	var refs []kube.Ref
	for _, c := range s.withManifest() {
		refs = append(refs, kube.RefOf(c.result()))
	}
	return refs
}

// url is the client's address as the server's dry runs have it.
func (s changeSet) url(m *managedfields.Manager) string {
	var objects []*unstructured.Unstructured
	for _, c := range s.withManifest() {
		objects = append(objects, c.dryRun)
	}
	return shownURL(m, objects, "")
}

// fields are those that a plan and a state show, by the objects' keys.
func (s changeSet) fields(m *managedfields.Manager) map[string]managedfields.Fields {
	objects := make(map[string]managedfields.Fields, len(s))
	for _, c := range s.withManifest() {
		objects[kube.RefOf(c.result()).Key()] = c.state(m).fields
	}
	return objects
}

// state is what is recorded of the client once the change set is applied, or as far as
// it is.
func (s changeSet) state(m *managedfields.Manager, manifest *manifest, prior *State) State {
	state := State{
		Objects:      make(map[string]managedfields.Fields, len(s)),
		Refs:         s.refs(),
		Claims:       manifest.claims(prior),
		URL:          s.url(m),
		Revision:     manifest.revision,
		Fingerprints: make(map[string]managedfields.Fingerprint, len(s)),
	}
	for _, c := range s.withManifest() {
		key := kube.RefOf(c.result()).Key()
		object := c.state(m)
		state.Objects[key] = object.fields
		if object.fingerprint != (managedfields.Fingerprint{}) {
			state.Fingerprints[key] = object.fingerprint
		}
	}
	state.Images = imagesOf(state.Objects)
	return state
}
