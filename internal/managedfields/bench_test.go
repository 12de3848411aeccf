package managedfields

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func benchmarkObjects(b *testing.B, run func(*Manager, *unstructured.Unstructured)) {
	manager := NewManager("", ownerLabel)
	for _, resource := range []string{"services", "ingresses", "statefulsets"} {
		b.Run(resource, func(b *testing.B) {
			live := liveObject(b, resource)
			b.ReportAllocs()
			for b.Loop() {
				run(manager, live)
			}
		})
	}
}

// The projection of what we own, which every read does.
func BenchmarkOwned(b *testing.B) {
	benchmarkObjects(b, func(manager *Manager, live *unstructured.Unstructured) {
		if len(manager.Owned(live)) == 0 {
			b.Fatal("nothing is ours")
		}
	})
}

// What every plan does to know that nothing has changed.
func BenchmarkInSync(b *testing.B) {
	manager := NewManager("", ownerLabel)
	for _, resource := range []string{"services", "ingresses", "statefulsets"} {
		b.Run(resource, func(b *testing.B) {
			live := liveObject(b, resource)
			fingerprint, recorded := manager.FingerprintOf(live, live), manager.Owned(live)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := manager.InSync(fingerprint, live, live, recorded); !ok {
					b.Fatal("not in sync")
				}
			}
		})
	}
}

// The comparison of an object with its dry run, which every change takes.
func BenchmarkOnlyOwnershipDiffers(b *testing.B) {
	benchmarkObjects(b, func(manager *Manager, live *unstructured.Unstructured) {
		if !manager.Adoption(live, live, nil).OnlyOwnershipDiffers() {
			b.Fatal("an object differs from itself")
		}
	})
}
