package acctest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
)

// Quota gives the sandbox a ResourceQuota, such as {"count/services": "0"}, that
// a further object like the probe would exceed, and gives the means to take it
// away.
func (s *Sandbox) Quota(t *testing.T, name string, hard map[string]string, probe *unstructured.Unstructured) (lift func()) {
	t.Helper()
	quotas := s.Admin.Resource(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}).Namespace(s.Namespace)
	quota := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ResourceQuota", "metadata": map[string]any{"name": name},
	}}
	_ = unstructured.SetNestedStringMap(quota.Object, hard, "spec", "hard")
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await := func(refused bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
			_, err := s.objects(probe.GetKind()).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil && !apierrors.IsForbidden(err) {
				return false, err
			}
			// A quota whose use is not counted yet refuses everything.
			isExceeded := err != nil && strings.Contains(err.Error(), "exceeded quota")
			return isExceeded == refused && (err == nil) == !refused, nil
		})
		if err != nil {
			t.Fatalf("waiting until quota %s refuses a %s: %t: %v", name, probe.GetKind(), refused, err)
		}
	}
	await(true)
	return func() {
		t.Helper()
		if err := quotas.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		await(false)
	}
}

// Suspend takes a verb on a resource from the sandbox's account, and gives the
// means to give it back. Either is in force when it returns.
func (s *Sandbox) Suspend(t *testing.T, group, resource, verb string) (restore func()) {
	t.Helper()
	role := s.Get(t, "Role", "mira-clients")
	rules, err := json.Marshal(map[string]any{"rules": role.Object["rules"]})
	if err != nil {
		t.Fatal(err)
	}
	s.Withdraw(t, resource, verb)
	return func() {
		t.Helper()
		s.Patch(t, "Role", "mira-clients", "test", string(rules))
		s.awaitRight(t, s.Namespace, group, resource, verb, true)
	}
}

// awaitRight waits until the API server allows the sandbox's account a verb on a
// resource, or does not: it learns of a changed Role with a delay.
func (s *Sandbox) awaitRight(t *testing.T, namespace, group, resource, verb string, allowed bool) {
	t.Helper()
	reviews := s.Admin.Resource(schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"})
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
		"spec": map[string]any{
			"user":               "system:serviceaccount:" + s.Namespace + ":" + ServiceAccount,
			"resourceAttributes": map[string]any{"namespace": namespace, "group": group, "resource": resource, "verb": verb},
		},
	}}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, Patience, true, func(ctx context.Context) (bool, error) {
		answer, err := reviews.Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		now, _, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
		return now == allowed, nil
	})
	if err != nil {
		t.Fatalf("waiting until %s on %s is allowed: %t: %v", verb, resource, allowed, err)
	}
}

// Writes notes from now on which objects of a kind are written, also those that
// are gone again, and gives the means to ask for them: an event each, such as
// `ADDED mira-acme`.
func (s *Sandbox) Writes(t *testing.T, kind string) (events func() []string) {
	t.Helper()
	client := s.objects(kind)
	now, err := client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	since := now.GetResourceVersion()
	return func() []string {
		t.Helper()
		watcher, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: since})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Stop()
		// The end is where a change made on purpose turns up.
		const end = "end-of-writes"
		sentinel := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": end},
			"spec": map[string]any{"type": "ExternalName", "externalName": "end.example"},
		}}
		if kind != "Service" {
			t.Fatalf("writes of kind %s cannot be followed", kind)
		}
		s.Create(t, sentinel, "test")
		defer s.Delete(t, kind, end)
		var seen []string
		timeout := time.After(Patience)
		for {
			select {
			case event, open := <-watcher.ResultChan():
				object, ok := event.Object.(*unstructured.Unstructured)
				if !open || !ok || event.Type == watch.Error {
					t.Fatalf("watching %s: %v", kind, event)
				}
				if object.GetName() == end {
					return seen
				}
				seen = append(seen, string(event.Type)+" "+object.GetName())
			case <-timeout:
				t.Fatalf("the watch of %s does not reach the end", kind)
			}
		}
	}
}

// StatefulSetProbe is a StatefulSet, without pods, that the API server would take.
func StatefulSetProbe() *unstructured.Unstructured {
	labels := map[string]any{"app": "probe"}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "probe"},
		"spec": map[string]any{
			"replicas": int64(0), "serviceName": "probe", "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "probe", "image": "probe:1"}}},
			},
		},
	}}
}
