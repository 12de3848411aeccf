package acctest

import (
	"context"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// resources are the endpoints of the kinds that tests touch.
var resources = map[string]schema.GroupVersionResource{
	"ClusterRole":           {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"ControllerRevision":    {Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	"Ingress":               {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	"Namespace":             {Version: "v1", Resource: "namespaces"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
	"Pod":                   {Version: "v1", Resource: "pods"},
	"Role":                  {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":           {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"Secret":                {Version: "v1", Resource: "secrets"},
	"Service":               {Version: "v1", Resource: "services"},
	"ServiceAccount":        {Version: "v1", Resource: "serviceaccounts"},
	"StatefulSet":           {Group: "apps", Version: "v1", Resource: "statefulsets"},

	"ValidatingAdmissionPolicy":        {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	"ValidatingAdmissionPolicyBinding": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
}

func (s *Sandbox) objects(kind string) dynamic.ResourceInterface {
	return s.Admin.Resource(resources[kind]).Namespace(s.Namespace)
}

// detached is a context for the time after a test, when its own has ended.
func detached(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

func unstructuredSerializer() runtime.NegotiatedSerializer {
	return serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
}

// CreateAll makes many objects by POST, ten at a time, as some manager.
func (s *Sandbox) CreateAll(t *testing.T, objects []*unstructured.Unstructured, manager string) {
	t.Helper()
	next := make(chan *unstructured.Unstructured)
	var workers sync.WaitGroup
	for range 10 {
		workers.Go(func() {
			for object := range next {
				if _, err := s.objects(object.GetKind()).Create(t.Context(), object, metav1.CreateOptions{FieldManager: manager}); err != nil {
					t.Errorf("creating %s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
		})
	}
	for _, object := range objects {
		next <- object
	}
	close(next)
	workers.Wait()
}

// WaitFor watches the objects of a kind until a condition holds for all that
// the sandbox has of it.
func (s *Sandbox) WaitFor(t *testing.T, kind, what string, holds func([]*unstructured.Unstructured) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	client := s.objects(kind)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, options)
		},
	}
	now := make(map[string]*unstructured.Unstructured)
	check := func() bool {
		objects := make([]*unstructured.Unstructured, 0, len(now))
		for _, object := range now {
			objects = append(objects, object)
		}
		return holds(objects)
	}
	_, err := watchtools.UntilWithSync(ctx, lw, &unstructured.Unstructured{},
		func(store cache.Store) (bool, error) {
			for _, item := range store.List() {
				if object, ok := item.(*unstructured.Unstructured); ok {
					now[object.GetName()] = object
				}
			}
			return check(), nil
		},
		func(event watch.Event) (bool, error) {
			if object, ok := event.Object.(*unstructured.Unstructured); ok {
				now[object.GetName()] = object
				if event.Type == watch.Deleted {
					delete(now, object.GetName())
				}
			}
			return check(), nil
		})
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}
