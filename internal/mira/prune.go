package mira

import (
	"context"
	"slices"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// prune deletes, in reverse order, what the client had and the template does not ask for
// any more.
func (o *operation) prune(ctx context.Context) error {
	o.lock.Lock()
	defer o.lock.Unlock()
	for _, c := range slices.Backward(o.changes.deletions()) {
		logging.Debug(ctx, "Deleting an object that the template does not have any more", "client", o.spec.Name, "object", c.ref)
		kept, err := o.deleteOwn(ctx, c.ref, o.spec.Name, false)
		if err != nil {
			return err
		}
		if kept != nil {
			o.warn(kept)
		}
	}
	return nil
}

// deleteOwn deletes a recorded object if it still is the client's. Otherwise it leaves it
// alone and returns a warning. A StatefulSet leaves its claims unless deleteData says
// otherwise.
func (s *services) deleteOwn(ctx context.Context, ref kube.Ref, client string, deleteData bool) (Warning, error) {
	live, err := s.kube.Get(ctx, ref)
	if err != nil || live == nil {
		return nil, err
	}
	owner := live.GetLabels()[ClientLabel]
	isRecreated := owner == "" && ref.UID != "" && live.GetUID() != ref.UID
	if owner != client && owner != "" || isRecreated {
		return ObjectKeptWarning{Client: client, Object: ref, Owner: owner}, nil
	}
	if deleteData {
		return nil, s.kube.Delete(ctx, kube.RefOf(live))
	}
	return nil, s.deleteKeepingClaims(ctx, live)
}
