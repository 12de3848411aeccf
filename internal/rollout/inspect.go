package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
)

// needPods says whether only the pods can tell if the rollout is done: where
// pods of older revisions stay, the numbers in the status do not say which pods
// are not ready, and which are updated.
func needPods(sts *appsv1.StatefulSet, s Status) bool {
	p := planOf(sts)
	switch {
	case s.Revision == "" || s.Replicas != p.desired || s.Updated == p.desired:
		return false
	case p.onDelete:
		return s.Updated > 0 && (s.Ready < p.desired || sts.Spec.MinReadySeconds > 0 && s.Available < p.desired)
	}
	return p.partition > 0 && s.Updated >= p.toUpdate() && s.Ready >= p.toUpdate()
}

// maxNames bounds the names in a selector, which is part of a URL.
const maxNames = 100

// podSelector selects the pods of a StatefulSet, and perhaps others: the clients
// of a fleet may share spec.selector. The names keep the answer small then. They
// are enough, because pods beyond spec.replicas go from the highest ordinal on
// and count in status.replicas until then.
func podSelector(sts *appsv1.StatefulSet) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(sts.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading spec.selector: %w", err)
	}
	p := planOf(sts)
	highest := max(p.desired, sts.Status.Replicas)
	if highest == 0 || highest > maxNames {
		return selector, nil
	}
	names := make([]string, 0, highest)
	for index := range highest {
		names = append(names, p.podName(index))
	}
	named, err := labels.NewRequirement(appsv1.StatefulSetPodNameLabel, selection.In, names)
	if err != nil {
		return nil, err
	}
	return selector.Add(*named), nil
}

// listPods gets the pods of the StatefulSet as last seen.
func (w *waiter) listPods(ctx context.Context) ([]corev1.Pod, error) {
	selector, err := podSelector(w.last)
	if err != nil {
		return nil, err
	}
	list, err := w.pods.List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	w.contactedUnlessAnswered(ctx, err)
	if err != nil {
		return nil, err
	}
	pods := make([]corev1.Pod, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &pods[i]); err != nil {
			return nil, fmt.Errorf("reading pod %s: %w", list.Items[i].GetName(), err)
		}
	}
	return pods, nil
}

// contactedUnlessAnswered leaves out refusals: the server is there.
func (w *waiter) contactedUnlessAnswered(ctx context.Context, err error) {
	if !isFinal(err) {
		w.contacted(ctx, err)
	}
}

// lookCloser adds to the status what the pods and their claims tell. What it may
// not read it notes.
func (w *waiter) lookCloser(ctx context.Context) (notes []string) {
	pods, err := w.listPods(ctx)
	switch {
	case err != nil && w.contact != nil:
		return nil // said with the failure to reach the server
	case err != nil:
		return []string{fmt.Sprintf("why is not known, since the pods could not be listed: %v", err)}
	}
	w.status = w.judge(w.last, pods)
	for i := range min(len(w.status.Pending), maxPods) {
		pending := &w.status.Pending[i]
		at := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.Name == pending.Name })
		if at < 0 {
			continue
		}
		if c := condition(&pods[at], corev1.PodScheduled); c == nil || c.Status != corev1.ConditionFalse {
			continue
		}
		if pending.UnboundClaims, err = w.unboundClaims(ctx, &pods[at]); err != nil {
			return append(notes, fmt.Sprintf("claims could not be read: %v", err))
		}
	}
	return notes
}

func (w *waiter) unboundClaims(ctx context.Context, pod *corev1.Pod) (unbound []string, err error) {
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		name := volume.PersistentVolumeClaim.ClaimName
		claim, err := w.claims.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			unbound = append(unbound, name)
		case err != nil:
			return unbound, err
		default:
			if phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); phase != string(corev1.ClaimBound) {
				unbound = append(unbound, name)
			}
		}
	}
	slices.Sort(unbound)
	return unbound, nil
}
