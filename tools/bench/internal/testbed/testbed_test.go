package testbed

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func sampleTemplate(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "examples", "client-template", "client_template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDocuments(t *testing.T) {
	documents, err := Documents(sampleTemplate(t), "bench-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(documents)); !slices.Equal(got, []string{"Ingress", "Service", "StatefulSet"}) {
		t.Fatalf("kinds = %v", got)
	}
	for kind, text := range documents {
		if !strings.Contains(text, "name: mira-%CLIENT_NAME%") || !strings.Contains(text, "namespace: bench-1") {
			t.Errorf("%s lacks its name or namespace:\n%s", kind, text)
		}
		if strings.Contains(text, "status:") || strings.Contains(text, "null") || strings.Contains(text, "placeholder-") {
			t.Errorf("%s is not clean:\n%s", kind, text)
		}
		var parsed map[string]any
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "%", "")), &parsed); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRender(t *testing.T) {
	objects, err := render(sampleTemplate(t), "c0001", "mira.example")
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 3 {
		t.Fatalf("%d objects, want 3", len(objects))
	}
	for _, o := range objects {
		if o.GetName() != objectName("c0001") {
			t.Errorf("%s is called %q", o.GetKind(), o.GetName())
		}
		if _, ok := resources[o.GetKind()]; !ok {
			t.Errorf("kind %s cannot be written", o.GetKind())
		}
	}
}

func TestWithImage(t *testing.T) {
	released, err := WithImage(sampleTemplate(t), "mira:3.1")
	if err != nil || !strings.Contains(released, "image: mira:3.1\n") || strings.Contains(released, "image: "+Image) {
		t.Errorf("WithImage (%v) gives\n%s", err, released)
	}
	if _, err := WithImage("image: other", "mira:3.1"); err == nil {
		t.Error("a template without the image was released")
	}
}

func TestIsSettled(t *testing.T) {
	status := func(ready int64, current string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": int64(2)},
			"spec":     map[string]any{"replicas": int64(1)},
			"status": map[string]any{
				"observedGeneration": int64(2), "readyReplicas": ready, "updatedReplicas": int64(1), "currentRevision": current, "updateRevision": "b",
			},
		}}
	}
	if !isSettled(status(1, "b")) {
		t.Error("a StatefulSet that serves counts as unsettled")
	}
	if isSettled(status(0, "b")) || isSettled(status(1, "a")) {
		t.Error("a StatefulSet that does not serve yet counts as settled")
	}
}
