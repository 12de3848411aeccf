package acctest

import (
	"context"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// resources are the endpoints of the kinds that tests touch.
var resources = map[string]schema.GroupVersionResource{
	"ClusterRole":           {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"ClusterRoleBinding":    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"ControllerRevision":    {Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	"Deployment":            {Group: "apps", Version: "v1", Resource: "deployments"},
	"Event":                 {Version: "v1", Resource: "events"},
	"EndpointSlice":         {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
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
}

// Objects reads and writes the objects of one namespace, as the administrator. Verbs
// that cannot do what they are asked for fail the test.
type Objects struct {
	Namespace string
	// Admin may do everything.
	Admin dynamic.Interface
}

func (o *Objects) of(kind string) dynamic.ResourceInterface {
	return o.Admin.Resource(resources[kind]).Namespace(o.Namespace)
}

// detached returns a context for the time after a test, when its own has ended.
func detached(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

// Get reads an object that must be there.
func (o *Objects) Get(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	object, err := o.of(kind).Get(detached(t), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("reading %s %s: %v", kind, name, err)
	}
	return object
}

// Exists reports whether an object is there.
func (o *Objects) Exists(t *testing.T, kind, name string) bool {
	t.Helper()
	_, err := o.of(kind).Get(detached(t), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("reading %s %s: %v", kind, name, err)
	}
	return err == nil
}

// List reads all objects of a kind.
func (o *Objects) List(t *testing.T, kind string) []*unstructured.Unstructured {
	t.Helper()
	found, err := o.of(kind).List(detached(t), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("listing %s: %v", kind, err)
	}
	objects := make([]*unstructured.Unstructured, 0, len(found.Items))
	for i := range found.Items {
		objects = append(objects, &found.Items[i])
	}
	return objects
}

// Names returns the names of all objects of a kind.
func (o *Objects) Names(t *testing.T, kind string) []string {
	t.Helper()
	names := []string{}
	for _, object := range o.List(t, kind) {
		names = append(names, object.GetName())
	}
	return names
}

// UIDs returns the UIDs of all objects of a kind, by name. Where they are equal
// before and after, nothing was replaced.
func (o *Objects) UIDs(t *testing.T, kind string) map[string]types.UID {
	t.Helper()
	uids := make(map[string]types.UID)
	for _, object := range o.List(t, kind) {
		uids[object.GetName()] = object.GetUID()
	}
	return uids
}

// Managers returns who owns fields of an object, sorted. Each entry is the manager's
// name and operation, and the subresource if it wrote one.
func (o *Objects) Managers(t *testing.T, kind, name string) []string {
	t.Helper()
	return managersOf(t, o.Get(t, kind, name), func(*fieldpath.Set) bool { return true })
}

// Owners returns who owns a field of an object, as [Objects.Managers] does. The parts
// of the path are field names, and what package fieldpath takes for list items.
func (o *Objects) Owners(t *testing.T, kind, name string, path ...any) []string {
	t.Helper()
	at := fieldpath.MakePathOrDie(path...)
	return managersOf(t, o.Get(t, kind, name), func(set *fieldpath.Set) bool { return set.Has(at) })
}

func managersOf(t *testing.T, object *unstructured.Unstructured, owns func(*fieldpath.Set) bool) []string {
	t.Helper()
	var owners []string
	for _, entry := range object.GetManagedFields() {
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			t.Fatal(err)
		}
		if owns(set) {
			owners = append(owners, strings.TrimSpace(entry.Manager+" "+string(entry.Operation)+" "+entry.Subresource))
		}
	}
	slices.Sort(owners)
	return owners
}
