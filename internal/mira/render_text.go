package mira

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
)

// RenderText returns the objects of one client from the text of a template, in the
// template's order. They are what a plan asks the server for, labels included, and a text that
// a plan refuses is refused with the same errors. It needs no cluster: a cluster domain
// that the settings do not have is not looked up, and counts as not configured.
func RenderText(ctx context.Context, text string, spec Spec, settings Settings) ([]*unstructured.Unstructured, error) {
	r := renderer{configMaps: templateText{text: text, source: spec.Template}, settings: settings}
	m, err := r.render(ctx, spec)
	if err != nil {
		return nil, err
	}
	return m.objects, nil
}

// templateText answers for a cluster that holds one template and nothing else.
type templateText struct {
	text   string
	source TemplateSource
}

func (t templateText) Key(_ context.Context, namespace, name, key string) (string, error) {
	if (TemplateSource{Namespace: namespace, ConfigMap: name, Key: key}) != t.source {
		return "", &kube.NotFoundError{Ref: kube.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name}}
	}
	return t.text, nil
}
