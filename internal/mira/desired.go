package mira

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// desired is what the template asks for one client.
type desired struct {
	objects  []*unstructured.Unstructured // in template order, labelled as the client's
	url      string                       // empty when no Ingress names a host
	revision string
	warnings []Warning
	// gathered lets what is live be read together with other clients: it may be a
	// minute old then.
	gathered bool
}

// desire renders and checks the template for a client, without asking the server
// about the objects.
func (f *Fleet) desire(ctx context.Context, spec Spec) (*desired, error) {
	t, err := f.template(ctx, spec)
	if err != nil {
		return nil, err
	}
	values, err := f.values(ctx, t, spec)
	if err != nil {
		return nil, err
	}
	rendered, err := t.Render(values, template.Policy{Namespace: spec.Namespace, AllowedKinds: f.settings.AllowedKinds})
	if err != nil {
		return nil, &TemplateError{Source: spec.Template, Err: err}
	}
	d := &desired{revision: t.Revision()}
	var refused []error
	keys := make(map[string]bool, len(rendered))
	for _, object := range rendered {
		if key := kube.RefOf(object.Unstructured).Key(); keys[key] {
			refused = append(refused, &TemplateError{Source: spec.Template, Err: &template.Error{Line: object.Line, Path: "metadata.name",
				Reason: fmt.Sprintf("another object of the template, of a kind of the same name in another API group, is called %s, too: plans could not tell them apart", key)}})
		} else {
			keys[key] = true
		}
		if err := checkClaimPolicy(object.Unstructured, spec.DeleteData); err != nil {
			refused = append(refused, err)
		}
		foldStringData(object.Unstructured)
		label(object.Unstructured, spec.Name)
		d.objects = append(d.objects, object.Unstructured)
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	d.url = urlOf(d.objects)
	if unused := t.Unused(spec.Variables); len(unused) > 0 {
		d.warnings = append(d.warnings, UnusedVariablesWarning{Client: spec.Name, Variables: unused, Template: spec.Template})
	}
	return d, nil
}

// foldStringData puts the stringData of a Secret into its data, as the server
// does: it stores no stringData, so that nobody could see what became of it.
func foldStringData(object *unstructured.Unstructured) {
	texts, found, err := unstructured.NestedStringMap(object.Object, "stringData")
	if object.GroupVersionKind().GroupKind() != (schema.GroupKind{Kind: "Secret"}) || !found || err != nil {
		return
	}
	data, _, err := unstructured.NestedStringMap(object.Object, "data")
	if err != nil {
		return // the server says what is wrong with it
	}
	if data == nil {
		data = make(map[string]string, len(texts))
	}
	for key, text := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	content := make(map[string]any, len(data))
	for key, text := range data {
		content[key] = text
	}
	object.Object["data"] = content
	delete(object.Object, "stringData")
}

// label marks an object as the client's. Only the object itself: labels in
// selectors or pod templates would restart pods.
func label(object *unstructured.Unstructured, client string) {
	labels := object.GetLabels()
	if labels == nil {
		labels = make(map[string]string, 2)
	}
	labels[managedByLabel] = managedBy
	labels[ClientLabel] = client
	object.SetLabels(labels)
}

// checkOwner refuses a live object that another client owns.
func checkOwner(live *unstructured.Unstructured, client string) error {
	if owner := live.GetLabels()[ClientLabel]; owner != "" && owner != client {
		return &ForeignObjectError{Ref: kube.RefOf(live), Owner: owner}
	}
	return nil
}

// checkClaimPolicy refuses a StatefulSet that lets Kubernetes delete claims, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention.
func checkClaimPolicy(object *unstructured.Unstructured, deleteData bool) error {
	if deleteData || !isStatefulSet(object) {
		return nil
	}
	for _, policy := range []string{"whenDeleted", "whenScaled"} {
		if value, _, _ := unstructured.NestedString(object.Object, "spec", retentionPolicyKey, policy); value == "Delete" {
			return &ClaimPolicyError{Ref: kube.RefOf(object), Policy: policy, Live: object.GetUID() != ""}
		}
	}
	return nil
}

func isStatefulSet(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "apps", Kind: statefulSetKind}
}

// urlOf gives the address under which a client answers: the first host that an
// Ingress of it names.
func urlOf(objects []*unstructured.Unstructured) string {
	for _, object := range objects {
		if object.GetKind() != "Ingress" {
			continue
		}
		rules, _, _ := unstructured.NestedSlice(object.Object, "spec", "rules")
		for _, rule := range rules {
			fields, ok := rule.(map[string]any)
			if !ok {
				continue
			}
			if host, _, _ := unstructured.NestedString(fields, "host"); host != "" && !strings.Contains(host, "*") {
				return "https://" + host
			}
		}
	}
	return ""
}
