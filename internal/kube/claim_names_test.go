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

// The parts of a claim's name are found whatever dashes they have.
func TestCutClaimName(t *testing.T) {
	for _, test := range []struct {
		claim, statefulSet, template string
		ordinal                      int
		ok                           bool
	}{
		{"data-mira-acme-0", "mira-acme", "data", 0, true},
		{"mira-data-mira-acme-12", "mira-acme", "mira-data", 12, true},
		{"data-mira-acme-0-mira-acme-3", "mira-acme", "data-mira-acme-0", 3, true},
		{"x-a-a-a-0", "a-a", "x-a", 0, true},
		{"data-mira-acme-0", "mira-other", "", 0, false},
		{"data-mira-acme-x", "mira-acme", "", 0, false},
		{"data-mira-acme-00", "mira-acme", "", 0, false},
		{"data-mira-acme-0-old", "mira-acme", "", 0, false},
		{"-mira-acme-0", "mira-acme", "", 0, false},
		{"mira-acme-0", "mira-acme", "", 0, false},
		{"data", "mira-acme", "", 0, false},
	} {
		template, ordinal, ok := CutClaimName(test.claim, test.statefulSet)
		if template != test.template || ordinal != test.ordinal || ok != test.ok {
			t.Errorf("%s of %s: %q, %d, %t", test.claim, test.statefulSet, template, ordinal, ok)
		}
	}
}
