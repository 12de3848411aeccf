package managedfields

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInLiveSpelling(t *testing.T) {
	const workload = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "mira-acme"},
		"spec": {"template": {"spec": {"containers": [{"name": "mira", "env": [{"name": "SIZE", "value": %SIZE%}],
		"resources": {"requests": {"memory": %MEMORY%}}}], "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": %LIMIT%}}]}},
		"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": %LIMIT%}}}}]}}`
	with := func(size, memory, limit string) string {
		return strings.NewReplacer("%SIZE%", size, "%MEMORY%", memory, "%LIMIT%", limit).Replace(workload)
	}
	live := decodeObject(t, with(`"1Gi"`, `"256Mi"`, `"1Gi"`))
	for _, test := range []struct {
		name          string
		applied, want string
	}{
		{"quantities keep the live notation", with(`"1Gi"`, "268435456", `"1024Mi"`), with(`"1Gi"`, `"256Mi"`, `"1Gi"`)},
		{"another quantity is a change", with(`"1Gi"`, "268435457", `"2Gi"`), with(`"1Gi"`, "268435457", `"2Gi"`)},
		{"a text that looks like one is a text", with(`"1024Mi"`, `"256Mi"`, `"1Gi"`), with(`"1024Mi"`, `"256Mi"`, `"1Gi"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			manifest := decodeObject(t, test.applied)
			got := InLiveSpelling(manifest, live)
			if diff := cmp.Diff(decodeObject(t, test.want).Object, got.Object); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(decodeObject(t, test.applied).Object, manifest.Object); diff != "" {
				t.Errorf("the manifest has changed (-before +after):\n%s", diff)
			}
		})
	}
}
