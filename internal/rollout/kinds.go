package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	statefulSets  = appsv1.SchemeGroupVersion.WithResource("statefulsets")
	podResource   = corev1.SchemeGroupVersion.WithResource("pods")
	claimResource = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	eventResource = corev1.SchemeGroupVersion.WithResource("events")
)

// object is what informers need of an object of the API.
type object interface {
	comparable // for client-go's typed informers
	metav1.Object
}

// kind is a kind of objects that informers hold.
type kind[T object] struct {
	resource schema.GroupVersionResource
	// convert reads an object, and may change what it is given.
	convert func(*unstructured.Unstructured) (T, error)
	// statefulSet returns the name of the StatefulSet that an object belongs to; ""
	// if there is none.
	statefulSet func(T) string
}

var setKind = kind[*appsv1.StatefulSet]{
	resource:    statefulSets,
	convert:     convertSet,
	statefulSet: func(sts *appsv1.StatefulSet) string { return sts.Name },
}

var podKind = kind[*corev1.Pod]{
	resource: podResource,
	convert:  convertPod,
	statefulSet: func(pod *corev1.Pod) string {
		if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "StatefulSet" {
			return owner.Name
		}
		return ""
	},
}

// convert converts an object to the type of its kind.
func convert[T any](object *unstructured.Unstructured) (*T, error) {
	read := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, read); err != nil {
		return nil, fmt.Errorf("reading %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return read, nil
}

// convertSet keeps of a StatefulSet what its rollout depends on, since a fleet has
// thousands of them.
func convertSet(object *unstructured.Unstructured) (*appsv1.StatefulSet, error) {
	unstructured.RemoveNestedField(object.Object, "spec", "template")
	unstructured.RemoveNestedField(object.Object, "spec", "volumeClaimTemplates")
	return convert[appsv1.StatefulSet](object)
}

// convertPod does the same for a pod.
func convertPod(object *unstructured.Unstructured) (*corev1.Pod, error) {
	pod, err := convert[corev1.Pod](object)
	if err != nil {
		return nil, err
	}
	spec := corev1.PodSpec{NodeName: pod.Spec.NodeName}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			spec.Volumes = append(spec.Volumes, volume)
		}
	}
	for _, c := range pod.Spec.InitContainers {
		spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy})
	}
	for _, c := range pod.Spec.Containers {
		spec.Containers = append(spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	pod.Spec, pod.Annotations = spec, nil
	return pod, nil
}
