package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

const (
	older  = "mira-acme-old"
	newest = "mira-acme-new"
)

// statefulSet returns a StatefulSet of n pods whose rollout is done, with changes.
func statefulSet(n int32, changes ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	sts := &appsv1.StatefulSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "mira-acme", UID: "acme", Generation: 4, ResourceVersion: "100",
			Labels: map[string]string{clientLabel: "acme"},
		},
		Spec: appsv1.StatefulSetSpec{
			Replicas:       &n,
			Selector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app": "mira"}},
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
		},
		Status: appsv1.StatefulSetStatus{
			ObservedGeneration: 4, CurrentRevision: newest, UpdateRevision: newest,
			Replicas: n, CurrentReplicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
		},
	}
	for _, change := range changes {
		change(sts)
	}
	return sts
}

// counts sets the numbers in the status.
func counts(replicas, updated, ready int32) func(*appsv1.StatefulSet) {
	return func(sts *appsv1.StatefulSet) {
		s := &sts.Status
		s.CurrentRevision = older
		s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas = replicas, updated, ready, ready
	}
}

func partition(p int32) func(*appsv1.StatefulSet) {
	return func(sts *appsv1.StatefulSet) {
		sts.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &p}
	}
}

func onDelete(sts *appsv1.StatefulSet) {
	sts.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
}

// recreating sets the strategy that ends all pods before it starts new ones.
func recreating(sts *appsv1.StatefulSet) {
	sts.Spec.UpdateStrategy.Type = appsv1.RecreateStatefulSetStrategyType
}

func maxUnavailable(n int) func(*appsv1.StatefulSet) {
	return func(sts *appsv1.StatefulSet) {
		number := intstr.FromInt(n)
		sts.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: &number}
	}
}

func startingAt(ordinal int32) func(*appsv1.StatefulSet) {
	return func(sts *appsv1.StatefulSet) { sts.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: ordinal} }
}

// pod returns a ready pod of the StatefulSet, with changes.
func pod(ordinal int, revision string, changes ...func(*corev1.Pod)) corev1.Pod {
	controller := true
	name := fmt.Sprintf("mira-acme-%d", ordinal)
	p := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: types.UID(name + "-" + revision), ResourceVersion: "100",
			Labels: map[string]string{
				"app": "mira", appsv1.StatefulSetRevisionLabel: revision, appsv1.StatefulSetPodNameLabel: name,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "StatefulSet", Name: "mira-acme", UID: "acme", Controller: &controller,
			}},
		},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func ownedBy(uid types.UID) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.OwnerReferences[0].UID = uid }
}

func deleting(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

// unready makes a pod not ready and sets the statuses of its containers.
func unready(containers ...corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		p.Status.ContainerStatuses = containers
	}
}

func pending(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }

// waiting is the status of container mira.
func waiting(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: "mira", State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
	}}
}

func TestStatus(t *testing.T) {
	tests := map[string]struct {
		sts  *appsv1.StatefulSet
		pods []corev1.Pod
		done bool
		says string
	}{
		"every pod runs the newest revision and is ready": {
			sts: statefulSet(3), done: true, says: "3 of 3 pods at revision mira-acme-new",
		},
		"no replicas in the specification means one": {
			sts:  statefulSet(1, func(s *appsv1.StatefulSet) { s.Spec.Replicas = nil }),
			done: true, says: "1 of 1 pod at revision mira-acme-new",
		},
		"no update strategy means a rolling update": {
			sts:  statefulSet(1, counts(1, 0, 1), func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = "" }),
			done: false, says: "0 of 1 pod updated to revision mira-acme-new",
		},
		"a status from before the change does not count, however well it looks": {
			sts:  statefulSet(3, func(s *appsv1.StatefulSet) { s.Generation = 5 }),
			done: false, says: "the StatefulSet controller has not seen generation 5 yet, only 4",
		},
		"a StatefulSet that the controller has not seen at all": {
			sts:  statefulSet(1, func(s *appsv1.StatefulSet) { s.Status = appsv1.StatefulSetStatus{} }),
			done: false, says: "the StatefulSet controller has not seen generation 4 yet, only 0",
		},
		"a status without the newest revision's name is not filled in yet": {
			sts:  statefulSet(1, func(s *appsv1.StatefulSet) { s.Status.UpdateRevision = "" }),
			done: false, says: "the StatefulSet controller has not named the newest revision yet",
		},
		"a StatefulSet that is being deleted is never done": {
			sts:  statefulSet(1, func(s *appsv1.StatefulSet) { s.DeletionTimestamp = &metav1.Time{} }),
			done: false, says: "the StatefulSet is being deleted",
		},
		"pods of the former revision that are ready are no success": {
			sts: statefulSet(3, counts(3, 0, 3)), says: "0 of 3 pods updated to revision mira-acme-new",
		},
		"the last pod is still the former one": {
			sts: statefulSet(3, counts(3, 2, 3)), says: "2 of 3 pods updated to revision mira-acme-new",
		},
		"every pod is updated, but one is not ready": {
			sts: statefulSet(3, counts(3, 3, 2)), says: "2 of 3 pods ready",
		},
		"a pod is gone and its successor not created": {
			sts: statefulSet(3, counts(2, 2, 2)), says: "2 of 3 pods updated to revision mira-acme-new",
		},
		"a pod that is being deleted is ready, but counts as no longer updated": {
			sts: statefulSet(1, counts(1, 0, 1)), says: "0 of 1 pod updated to revision mira-acme-new",
		},
		"Parallel: all pods are updated at once, and none is ready": {
			sts:  statefulSet(3, counts(3, 3, 0), func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement }),
			says: "0 of 3 pods ready",
		},
		"OrderedReady: the first pod has to be ready before the others are created": {
			sts: statefulSet(3, counts(1, 1, 0)), says: "1 of 3 pods updated to revision mira-acme-new",
		},
		"a scale-up that is under way": {
			sts: statefulSet(4, counts(3, 3, 2)), says: "3 of 4 pods updated to revision mira-acme-new",
		},
		"a scale-down that is under way": {
			sts: statefulSet(1, counts(3, 3, 3)), says: "2 of 3 pods still to be deleted",
		},
		"scaled to zero, with a pod that still stops": {
			sts: statefulSet(0, counts(1, 1, 1)), says: "1 pod still to be deleted",
		},
		"scaled to zero, with a pod that the status has forgotten too early": {
			sts: statefulSet(0), pods: []corev1.Pod{pod(0, newest, deleting)}, says: "1 pod still to be deleted",
		},
		"scaled to zero": {
			sts: statefulSet(0), done: true, says: "scaled to zero, no pods are left",
		},
		"scaled to zero in a status from before": {
			sts:  statefulSet(0, func(s *appsv1.StatefulSet) { s.Generation = 5 }),
			says: "the StatefulSet controller has not seen generation 5 yet, only 4",
		},

		"Parallel: the pods of both revisions are ready, and none is missing": {
			sts:  statefulSet(3, counts(3, 1, 3), parallel),
			pods: []corev1.Pod{pod(0, older), pod(1, older), pod(2, newest)},
			says: "1 of 3 pods updated to revision mira-acme-new",
		},
		"Parallel: the number of ready pods suffices, but one of them is being deleted": {
			sts:  statefulSet(2, parallel),
			pods: []corev1.Pod{pod(0, newest), pod(1, newest, deleting)},
			says: "1 pod not in the expected state yet",
		},
		"OrderedReady: a pod of the newest revision was deleted by hand": {
			sts:  statefulSet(2, counts(2, 2, 1)),
			pods: []corev1.Pod{pod(0, newest), pod(1, newest, deleting, unready())},
			says: "1 of 2 pods ready",
		},
		"OrderedReady: a broken pod of an older revision is not replaced, while all others are ready": {
			sts:  statefulSet(2, counts(2, 0, 1)),
			pods: []corev1.Pod{pod(0, older), pod(1, older, pending, unready(waiting("ImagePullBackOff", "")))},
			says: "0 of 2 pods updated to revision mira-acme-new",
		},
		"an update that was taken back before a pod was touched": {
			sts:  statefulSet(2, func(s *appsv1.StatefulSet) { s.Status.CurrentRevision, s.Status.UpdateRevision = older, older }),
			pods: []corev1.Pod{pod(0, older), pod(1, older)},
			done: true, says: "2 of 2 pods at revision mira-acme-old",
		},
		"all pods count as updated, but the watch still shows an older one": {
			sts:  statefulSet(2),
			pods: []corev1.Pod{pod(0, older), pod(1, newest)},
			says: "1 of 2 pods updated to revision mira-acme-new",
		},
		"scaled to zero and changed at once": {
			sts:  statefulSet(0, counts(0, 0, 0)),
			pods: []corev1.Pod{},
			done: true, says: "scaled to zero, no pods are left",
		},
		"a pod that has ended keeps its readiness for a moment": {
			sts:  statefulSet(1),
			pods: []corev1.Pod{pod(0, newest, func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })},
			says: "1 pod not in the expected state yet",
		},

		"minReadySeconds: ready, available and updated are not the same pods": {
			sts:  statefulSet(2, counts(2, 2, 2), func(s *appsv1.StatefulSet) { s.Spec.MinReadySeconds = 30; s.Status.AvailableReplicas = 0 }),
			pods: []corev1.Pod{pod(0, newest), pod(1, newest)},
			says: "0 of 2 pods available (ready for 30 seconds)",
		},
		"minReadySeconds: ready is not yet available": {
			sts:  statefulSet(2, func(s *appsv1.StatefulSet) { s.Spec.MinReadySeconds = 30; s.Status.AvailableReplicas = 1 }),
			says: "1 of 2 pods available (ready for 30 seconds)",
		},
		"minReadySeconds: all are available": {
			sts:  statefulSet(2, func(s *appsv1.StatefulSet) { s.Spec.MinReadySeconds = 30 }),
			done: true, says: "2 of 2 pods at revision mira-acme-new",
		},
		"without minReadySeconds a server that does not count available pods does not matter": {
			sts:  statefulSet(2, func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 0 }),
			done: true, says: "2 of 2 pods at revision mira-acme-new",
		},

		"partition: the pod above it is still the former one": {
			sts: statefulSet(3, partition(2), counts(3, 0, 3)), says: "0 of 1 pod updated to revision mira-acme-new",
		},
		"partition: the pod above it is updated, but not ready": {
			sts: statefulSet(3, partition(2), counts(3, 1, 2)), says: "2 of 3 pods ready",
		},
		"partition: the pod above it serves": {
			sts: statefulSet(3, partition(2), counts(3, 1, 3)), done: true,
			says: "1 of 3 pods at revision mira-acme-new; the others, below partition 2, keep an older one",
		},
		"partition: more pods than the partition asks for are updated": {
			sts: statefulSet(3, partition(2), counts(3, 3, 3)), done: true, says: "3 of 3 pods at revision mira-acme-new",
		},
		"partition beyond the last pod: no pod is to be updated": {
			sts: statefulSet(3, partition(9), counts(3, 0, 3)), done: true,
			says: "0 of 3 pods at revision mira-acme-new; the others, below partition 3, keep an older one",
		},
		"partition beyond the last pod of a new StatefulSet: its pods have to serve all the same": {
			sts: statefulSet(2, partition(9), counts(1, 1, 0)), says: "1 of 2 pods created",
		},
		"partition: a former pod below it that is not ready holds nothing up": {
			sts:  statefulSet(3, partition(2), counts(3, 1, 2)),
			pods: []corev1.Pod{pod(0, older, unready()), pod(1, older), pod(2, newest)},
			done: true, says: "1 of 3 pods at revision mira-acme-new; the others, below partition 2, keep an older one",
		},
		"partition: it is the pod above it that is not ready": {
			sts:  statefulSet(3, partition(2), counts(3, 1, 2)),
			pods: []corev1.Pod{pod(0, older), pod(1, older), pod(2, newest, unready())},
			says: "2 of 3 pods ready",
		},
		"partition: enough pods are updated, but one of them on the wrong side": {
			// Half of an update was taken back, with a partition this time:
			// pod 1 still has what was taken back, pod 0 never had it.
			sts:  statefulSet(3, partition(1), counts(3, 2, 3)),
			pods: []corev1.Pod{pod(0, newest), pod(1, older), pod(2, newest)},
			says: "1 of 2 pods updated to revision mira-acme-new",
		},
		"partition: a pod below it that already has the newest revision must be ready, too": {
			sts:  statefulSet(2, partition(1), counts(2, 2, 1)),
			pods: []corev1.Pod{pod(0, newest, unready()), pod(1, newest)},
			says: "1 of 2 pods ready",
		},
		"partition: a former pod below it that is being deleted comes back first": {
			sts:  statefulSet(2, partition(1), counts(2, 1, 1)),
			pods: []corev1.Pod{pod(0, older, deleting, unready()), pod(1, newest)},
			says: "1 of 2 pods ready",
		},
		"partition and minReadySeconds: a former pod below it need not be available": {
			sts:  statefulSet(2, partition(1), counts(2, 1, 1), func(s *appsv1.StatefulSet) { s.Spec.MinReadySeconds = 5 }),
			pods: []corev1.Pod{pod(0, older, unready()), pod(1, newest)},
			done: true, says: "1 of 2 pods at revision mira-acme-new; the others, below partition 1, keep an older one",
		},
		"partition and ordinals.start: the partition counts from the first pod": {
			sts:  statefulSet(3, partition(2), startingAt(5), counts(3, 1, 3)),
			pods: []corev1.Pod{pod(5, older), pod(6, older), pod(7, newest)},
			done: true, says: "1 of 3 pods at revision mira-acme-new; the others, below partition 2, keep an older one",
		},
		"ordinals.start: a pod with a lower ordinal is surplus": {
			sts:  statefulSet(2, startingAt(1), counts(3, 2, 3)),
			pods: []corev1.Pod{pod(0, older), pod(1, newest), pod(2, newest)},
			says: "1 of 3 pods still to be deleted",
		},

		"Recreate: all pods have ended": {
			sts: statefulSet(2, recreating, counts(0, 0, 0)), pods: []corev1.Pod{},
			says: "0 of 2 pods updated to revision mira-acme-new",
		},
		"Recreate: the new pods are not ready": {
			sts: statefulSet(2, recreating, counts(2, 2, 1)), pods: []corev1.Pod{pod(0, newest), pod(1, newest, unready())},
			says: "1 of 2 pods ready",
		},
		"Recreate: a partition of another strategy does not count": {
			sts: statefulSet(2, recreating, partition(2), counts(2, 0, 2)), pods: []corev1.Pod{pod(0, older), pod(1, older)},
			says: "0 of 2 pods updated to revision mira-acme-new",
		},
		"maxUnavailable: several pods are replaced at once": {
			sts: statefulSet(3, maxUnavailable(2), counts(1, 0, 1)), pods: []corev1.Pod{pod(0, older)},
			says: "0 of 3 pods updated to revision mira-acme-new",
		},
		"OnDelete: nothing is replaced by itself": {
			sts: statefulSet(2, onDelete, counts(2, 0, 2)), done: true,
			says: "0 of 2 pods at revision mira-acme-new; the others run an older one until they are deleted (update strategy OnDelete)",
		},
		"OnDelete: the new revision has not been seen": {
			sts:  statefulSet(2, onDelete, func(s *appsv1.StatefulSet) { s.Generation = 5 }),
			says: "the StatefulSet controller has not seen generation 5 yet, only 4",
		},
		"OnDelete: the pods of a new StatefulSet have to serve": {
			sts: statefulSet(2, onDelete, counts(2, 2, 1)), says: "1 of 2 pods ready",
		},
		"OnDelete: a new StatefulSet without pods": {
			sts: statefulSet(2, onDelete, counts(0, 0, 0)), says: "0 of 2 pods created",
		},
		"OnDelete: a former pod that is not ready holds nothing up": {
			sts:  statefulSet(2, onDelete, counts(2, 1, 1)),
			pods: []corev1.Pod{pod(0, older, unready()), pod(1, newest)},
			done: true, says: "1 of 2 pods at revision mira-acme-new; the others run an older one until they are deleted (update strategy OnDelete)",
		},
		"OnDelete: where the pods are not known, those not ready are taken for former ones": {
			sts: statefulSet(2, onDelete, counts(2, 1, 1)), done: true,
			says: "1 of 2 pods at revision mira-acme-new; the others run an older one until they are deleted (update strategy OnDelete)",
		},
		"OnDelete: more pods are not ready than there are former ones": {
			sts: statefulSet(2, onDelete, counts(2, 1, 0)), says: "0 of 2 pods ready",
		},
		"OnDelete: a pod was deleted, and its successor is not ready": {
			sts:  statefulSet(2, onDelete, counts(2, 1, 1)),
			pods: []corev1.Pod{pod(0, older), pod(1, newest, unready())},
			says: "1 of 2 pods ready",
		},
		"OnDelete: a pod is being deleted": {
			sts:  statefulSet(2, onDelete, counts(2, 0, 2)),
			pods: []corev1.Pod{pod(0, older), pod(1, older, deleting)},
			says: "1 pod not in the expected state yet",
		},

		"pods of another client that share the selector do not matter": {
			sts:  statefulSet(1),
			pods: []corev1.Pod{pod(0, newest), pod(1, older, ownedBy("globex"), unready())},
			done: true, says: "1 of 1 pod at revision mira-acme-new",
		},
		"a pod of the same name from before does not stand for its successor": {
			sts:  statefulSet(1, counts(0, 0, 0)),
			pods: []corev1.Pod{pod(0, newest, ownedBy("acme-before"))},
			says: "0 of 1 pod updated to revision mira-acme-new",
		},
		"no pod at all is not the same as pods that are not known": {
			sts: statefulSet(1), pods: []corev1.Pod{}, says: "1 pod not in the expected state yet",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status := rollout.StatusOf(test.sts, test.pods, nil)
			if status.Done != test.done || status.Message != test.says {
				t.Errorf("done %t, %q; want %t, %q", status.Done, status.Message, test.done, test.says)
			}
			if status.Done && len(status.Pending) > 0 {
				t.Errorf("done, but waits for %v", status.Pending)
			}
		})
	}
}

func TestStatusHoldsTheNumbers(t *testing.T) {
	sts := statefulSet(3, counts(3, 2, 1))
	got := rollout.StatusOf(sts, nil, nil)
	want := rollout.Status{
		Message: "2 of 3 pods updated to revision mira-acme-new",
		Desired: 3, Replicas: 3, Updated: 2, Ready: 1, Available: 1, Revision: newest,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sts.Generation++
	if got := rollout.StatusOf(sts, nil, nil).Revision; got != "" {
		t.Errorf("revision %q, which is that of the generation before", got)
	}
}

func TestStatusDoesNotChangeWhatItReads(t *testing.T) {
	sts := statefulSet(2, counts(2, 1, 1))
	pods := []corev1.Pod{pod(1, newest, unready(waiting("CrashLoopBackOff", ""))), pod(0, older)}
	stsBefore, podsBefore := sts.DeepCopy(), []corev1.Pod{*pods[0].DeepCopy(), *pods[1].DeepCopy()}
	rollout.StatusOf(sts, pods, nil)
	if diff := cmp.Diff(stsBefore, sts) + cmp.Diff(podsBefore, pods); diff != "" {
		t.Error(diff)
	}
}

func TestStatusListsPodsInTheOrderOfTheirOrdinals(t *testing.T) {
	pods := []corev1.Pod{pod(11, newest), pod(2, newest, unready()), pod(10, older, deleting)}
	for i := range 10 {
		if i != 2 && i != 9 {
			pods = append(pods, pod(i, newest))
		}
	}
	var got []string
	for _, p := range rollout.StatusOf(statefulSet(10, counts(11, 9, 10)), pods, nil).Pending {
		got = append(got, p.String())
	}
	want := []string{
		"pod mira-acme-2: not ready",
		"pod mira-acme-9: not created yet",
		"pod mira-acme-10: being deleted",
		"pod mira-acme-11: surplus, to be deleted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the numbers are, a rollout is done only when as many pods of the
// newest revision are ready as the update strategy leads to.
func FuzzStatus(f *testing.F) {
	f.Add(uint8(3), uint8(3), uint8(3), uint8(3), uint8(0), false)
	f.Add(uint8(3), uint8(3), uint8(1), uint8(3), uint8(2), false)
	f.Add(uint8(3), uint8(3), uint8(0), uint8(3), uint8(0), true)
	f.Fuzz(func(t *testing.T, desired, replicas, updated, ready, part uint8, leave bool) {
		n, updates := int32(desired%8), int32(part%8)
		sts := statefulSet(n, partition(updates), counts(int32(replicas%8), int32(updated%8), int32(ready%8)))
		if leave {
			onDelete(sts)
			updates = n
		}
		status := rollout.StatusOf(sts, nil, nil)
		switch s := sts.Status; {
		case !status.Done:
		case s.Replicas != n:
			t.Errorf("done with %d of %d pods", s.Replicas, n)
		case s.UpdatedReplicas < n-min(updates, n):
			t.Errorf("done with %d pods updated of %d, partition %d", s.UpdatedReplicas, n, updates)
		case !leave && s.ReadyReplicas < n:
			t.Errorf("done with %d of %d pods ready", s.ReadyReplicas, n)
		case leave && s.ReadyReplicas < min(n, s.UpdatedReplicas):
			t.Errorf("done with %d pods ready, fewer than the %d updated", s.ReadyReplicas, s.UpdatedReplicas)
		}
		if strings.Contains(status.Message, "\n") || status.Message == "" {
			t.Errorf("message %q", status.Message)
		}
	})
}
