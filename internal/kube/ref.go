package kube

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Ref names an object of the cluster. Where UID is set it means that very object: one
// that was deleted and created again under the same name has another UID.
type Ref struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	UID        types.UID `json:"uid,omitempty"`
}

// NewRef returns a reference without a UID.
func NewRef(gvk schema.GroupVersionKind, namespace, name string) Ref {
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	return Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}
}

// RefOf returns a reference to an object, with its UID where it has one.
func RefOf(object *unstructured.Unstructured) Ref {
	ref := NewRef(object.GroupVersionKind(), object.GetNamespace(), object.GetName())
	ref.UID = object.GetUID()
	return ref
}

// GroupVersionKind returns the kind of the object.
func (r Ref) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

// Key returns `Kind/name`, unique among the objects of one client.
func (r Ref) Key() string { return r.Kind + "/" + r.Name }

// String returns `Kind namespace/name`, as errors name an object.
func (r Ref) String() string { return fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name) }

// SameObject reports whether both name the same object, whatever the UIDs and the
// versions of the API are.
func (r Ref) SameObject(other Ref) bool {
	return r.GroupVersionKind().GroupKind() == other.GroupVersionKind().GroupKind() &&
		r.Namespace == other.Namespace && r.Name == other.Name
}

// deletePreconditions keep a delete from touching an object that took the name
// of the one that is meant.
func (r Ref) deletePreconditions() *metav1.Preconditions {
	if r.UID == "" {
		return nil
	}
	return &metav1.Preconditions{UID: &r.UID}
}
