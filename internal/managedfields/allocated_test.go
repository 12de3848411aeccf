package managedfields

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func serviceOf(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "spec": spec}}
}

// What two Services cannot share is taken out of one that is to be tried under another name,
// whichever port it belongs to.
func TestReleaseAllocated(t *testing.T) {
	t.Parallel()
	live := serviceOf(map[string]any{
		"clusterIP": "10.0.0.1", "healthCheckNodePort": int64(32000),
		"ports": []any{
			map[string]any{"port": int64(80), "protocol": "TCP", "nodePort": int64(30080)},
			map[string]any{"port": int64(443), "protocol": "TCP", "nodePort": int64(30443)},
		},
	})
	for _, test := range []struct {
		name         string
		spec, wanted map[string]any
	}{
		{
			"the same", map[string]any{"clusterIP": "10.0.0.1", "ports": []any{map[string]any{"port": int64(80), "nodePort": int64(30080)}}},
			map[string]any{"ports": []any{map[string]any{"port": int64(80)}}},
		},
		{
			"another port of its own", map[string]any{"ports": []any{map[string]any{"port": int64(80), "nodePort": int64(30081)}}},
			map[string]any{"ports": []any{map[string]any{"port": int64(80), "nodePort": int64(30081)}}},
		},
		{
			"moved", map[string]any{"ports": []any{map[string]any{"port": int64(9001), "nodePort": int64(30443)}}},
			map[string]any{"ports": []any{map[string]any{"port": int64(9001)}}},
		},
		{"headless", map[string]any{"clusterIP": "None"}, map[string]any{"clusterIP": "None"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			object := serviceOf(test.spec)
			ReleaseAllocated(object, live)
			if diff := cmp.Diff(test.wanted, object.Object["spec"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
