package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestClaimNames(t *testing.T) {
	for _, test := range []struct {
		name, spec string
		want       []string
	}{
		{"one replica by default", `{"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`, []string{"data-mira-acme-0"}},
		{"several, of several templates",
			`{"replicas": 2, "volumeClaimTemplates": [{"metadata": {"name": "data"}}, {"metadata": {"name": "cache"}}]}`,
			[]string{"cache-mira-acme-0", "cache-mira-acme-1", "data-mira-acme-0", "data-mira-acme-1"}},
		{"ordinals that start later",
			`{"replicas": 2, "ordinals": {"start": 5}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`,
			[]string{"data-mira-acme-5", "data-mira-acme-6"}},
		{"none with no replicas", `{"replicas": 0, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}`, nil},
		{"none without templates", `{"replicas": 3}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			text := `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme"}, "spec": ` + test.spec + `}`
			if err := object.UnmarshalJSON([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ClaimNames(object)); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}
