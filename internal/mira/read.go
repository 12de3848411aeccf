package mira

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
)

// Read returns what is recorded of a client, brought up to date with the live objects; nil
// if none of them is left. It needs no template. References keep the objects that are gone:
// a later delete or update must still know of them.
//
// Where not one of the recorded objects is left, this may be another cluster than the one
// recorded, although it may have objects of these names: [*AnotherClusterError].
//
// A client whose data is deleted with it is there as long as one of its claims is: a delete
// that came as far as that must be able to go on.
func (f *Fleet) Read(ctx context.Context, namespace, name string, prior *State) (*State, error) {
	state := &State{
		Objects:  make(map[string]managedfields.Fields, len(prior.Refs)),
		URL:      prior.URL,
		Revision: prior.Revision,
	}
	var live []*unstructured.Unstructured
	isLeaving := false
	objects, err := f.batcher.GetAll(ctx, name, prior.Refs)
	if err != nil {
		return nil, err
	}
	if !hasRecorded(prior.Refs, objects) {
		if err := f.checkCluster(ctx, namespace, name, prior); err != nil {
			return nil, err
		}
	}
	for i, ref := range prior.Refs {
		object := objects[i]
		if object == nil || object.GetDeletionTimestamp() != nil {
			// An object that is being deleted is as good as gone, but a delete still has to
			// wait for it.
			isLeaving = isLeaving || object != nil
			state.Refs = append(state.Refs, ref)
			continue
		}
		if isOther := ref.UID != "" && ref.UID != object.GetUID(); !isOther || object.GetLabels()[ClientLabel] == name {
			ref = kube.RefOf(object)
		}
		state.Refs = append(state.Refs, ref)
		state.Objects[ref.Key()] = f.refreshedFields(object, prior.Objects[ref.Key()])
		live = append(live, object)
	}
	if prior.DeletesData || len(live) > 0 || isLeaving {
		state.Claims = f.claimsOf(ctx, namespace, name, live, prior.Claims)
	}
	if len(live) == 0 && !isLeaving && len(state.Claims) == 0 {
		return nil, nil
	}
	state.ReadBeforeDelete = slices.ContainsFunc(live, func(object *unstructured.Unstructured) bool { return isCarefulDelete(object, name) })
	state.Journal = journalReader{f.services}.read(ctx, prior, live)
	state.Images = imagesOf(state.Objects)
	if slices.ContainsFunc(live, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Ingress" }) {
		state.URL = refreshedURL(f.fields, live, prior)
	}
	return state, nil
}

// isCarefulDelete reports whether a delete must look at an object first.
func isCarefulDelete(object *unstructured.Unstructured, client string) bool {
	return checkOwner(object, client) != nil || isStatefulSet(object) && len(kube.DeletesClaims(object)) > 0
}

// refreshedFields returns what a refresh shows of an object. It does not have the client's
// configuration, and with it not the secrets that stand there.
func (f *Fleet) refreshedFields(live *unstructured.Unstructured, recorded managedfields.Fields) managedfields.Fields {
	fields := f.fields.Observe(live, recorded)
	if namesSecrets(live, recorded) {
		fields = f.fields.HideUnrecorded(live, fields, recorded)
	}
	return fields
}
