package mira

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// renderer makes the objects of clients from their templates. It reads each template
// and the cluster domain once, and nothing else.
type renderer struct {
	// declared are the templates that resources of this run declare.
	declared   templateRegister
	configMaps interface {
		Key(ctx context.Context, namespace, name, key string) (string, error)
	}
	settings  Settings
	templates loadCache[*template.Template] // by source
	begun     sync.Map                      // the sources that [Fleet.ReadTemplateAhead] has begun to read
	domain    loadCache[*string]
}

func newRenderer(c *kube.Client, settings Settings) *renderer {
	return &renderer{configMaps: kube.NewConfigMaps(c), settings: settings}
}

// manifest is what the template asks for one client.
type manifest struct {
	objects  []*unstructured.Unstructured // in template order, with the client's labels
	rendered []*template.Object           // the same; they know their lines of the template
	revision string                       // of the template
	// hasSecrets: the template uses a secret.
	hasSecrets bool
	template   *template.Template
	values     template.Values
	warnings   []Warning
}

// render renders and checks the template for a client.
func (r *renderer) render(ctx context.Context, spec Spec) (*manifest, error) {
	t, err := r.template(ctx, spec)
	if err != nil {
		return nil, err
	}
	return r.renderTemplate(ctx, t, spec)
}

// renderTemplate does the same with a template that is known.
func (r *renderer) renderTemplate(ctx context.Context, t *template.Template, spec Spec) (*manifest, error) {
	values, err := r.values(ctx, t, spec)
	if err != nil {
		return nil, err
	}
	rendered, err := t.Render(values, template.Policy{Namespace: spec.Namespace, AllowedKinds: r.settings.AllowedKinds})
	if err != nil {
		return nil, &TemplateError{Source: spec.Template, Err: err}
	}
	m := &manifest{rendered: rendered, revision: t.Revision(), hasSecrets: usesAny(t, values.Secrets), template: t, values: values}
	var refused []error
	keys := make(map[string]bool, len(rendered))
	for _, object := range rendered {
		if key := kube.RefOf(object.Unstructured).Key(); keys[key] {
			refused = append(refused, &TemplateError{Source: spec.Template, Err: sameKeyError(object.Line, key)})
		} else {
			keys[key] = true
		}
		if err := checkClaimPolicy(object.Unstructured, spec.DeleteData); err != nil {
			refused = append(refused, err)
		}
		if err := checkTexts(object); err != nil {
			refused = append(refused, &TemplateError{Source: spec.Template, Err: err})
		}
		foldStringData(object.Unstructured)
		label(object.Unstructured, spec.Name)
		if len(spec.Secrets) > 0 {
			annotateSecrets(object, spec.Secrets)
		}
		m.objects = append(m.objects, object.Unstructured)
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...)
	}
	if unused := append(t.Unused(spec.Variables), t.Unused(spec.Secrets)...); len(unused) > 0 {
		slices.Sort(unused)
		m.warnings = append(m.warnings, UnusedVariablesWarning{Client: spec.Name, Variables: unused, Template: spec.Template})
	}
	return m, nil
}

// locate notes in the server's refusal of the i-th object which lines of the template it is
// about. `foreign` is what others have on the live object.
func (m *manifest) locate(refusal error, i int, foreign []managedfields.FieldOwner) {
	rejected, ok := errors.AsType[*kube.RejectedError](refusal)
	if !ok || i >= len(m.rendered) || !rejected.Ref.SameObject(kube.RefOf(m.objects[i])) {
		return
	}
	paths := make([]string, 0, len(foreign))
	for _, owner := range foreign {
		paths = append(paths, owner.Field)
	}
	for c := range rejected.Causes {
		cause := &rejected.Causes[c]
		if line, ok := m.rendered[i].LineOfField(cause.Field, paths); ok {
			cause.Line = line
		}
	}
}

func sameKeyError(line int, key string) error {
	return &template.Error{Line: line, Path: "metadata.name", Reason: fmt.Sprintf(
		"another object of the template, of a kind of the same name in another API group, is called %s, too: "+
			"plans could not tell them apart", key)}
}

// ReadTemplateAhead begins to read a template, so that the plan that follows a refresh need not
// wait for it. It does so once for each source. If it fails, the plan reads the template again.
func (f *Fleet) ReadTemplateAhead(ctx context.Context, source TemplateSource) {
	if _, isBegun := f.renderer.begun.LoadOrStore(source.String(), true); isBegun {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		if _, err := f.renderer.template(ctx, Spec{Template: source}); err != nil {
			logging.Debug(ctx, "The client template could not be read ahead", "source", source, "error", err)
		}
	}()
}

// template reads and parses the template of a client. One that another resource of the
// same run has just changed is read again if the pinned revision says that the
// remembered one is not meant.
//
// A client whose pin is the revision that a resource of this run declares gets what that
// declares, which may not be in the cluster yet. Every other client gets the template that was
// there before, in the plan and in the apply, whether that resource comes first or not: what
// was planned of it stays true.
func (r *renderer) template(ctx context.Context, spec Spec) (*template.Template, error) {
	source := spec.Template
	declared, isDeclared := r.declared.of(source)
	if isDeclared && spec.Revision == declared.Revision() {
		return declared, nil
	}
	isOther := func(t *template.Template) bool { return spec.Revision != "" && t.Revision() != spec.Revision }
	isStale := func(t *template.Template) bool {
		return !isDeclared && (isOther(t) || spec.RereadTemplate && spec.Revision == "")
	}
	t, err := r.templates.get(source.String(), isStale, func() (*template.Template, error) {
		text, err := r.configMaps.Key(ctx, source.Namespace, source.ConfigMap, source.Key)
		if err != nil {
			return nil, &TemplateUnavailableError{Source: source, Err: err}
		}
		t, err := template.Parse(text)
		if err != nil {
			return nil, &TemplateError{Source: source, Err: err}
		}
		logging.Debug(ctx, "Parsed the client template", "source", source, "revision", t.Revision())
		return t, nil
	})
	if err != nil {
		return nil, err
	}
	if isOther(t) {
		return nil, &RevisionError{Source: source, Pinned: spec.Revision, Found: t.Revision()}
	}
	return t, nil
}

// clusterDomain returns nil if none is configured.
func (r *renderer) clusterDomain(ctx context.Context) (*string, error) {
	if r.settings.ClusterDomain != "" {
		return &r.settings.ClusterDomain, nil
	}
	never := func(*string) bool { return false }
	return r.domain.get(ClusterDomainKey, never, func() (*string, error) {
		domain, err := r.configMaps.Key(ctx, SettingsNamespace, SettingsConfigMap, ClusterDomainKey)
		isFound := err == nil
		if err != nil && !isMissing(err) {
			return nil, fmt.Errorf("reading %s, which the template needs: %w", ClusterDomainKey, err)
		}
		logging.Debug(ctx, "Looked up a value in the settings ConfigMap",
			"namespace", SettingsNamespace, "config_map", SettingsConfigMap, "key", ClusterDomainKey, "found", isFound)
		if !isFound {
			return nil, nil
		}
		return &domain, nil
	})
}

// isMissing reports whether a ConfigMap, or its key, is not there.
func isMissing(err error) bool {
	var noConfigMap *kube.NotFoundError
	var noKey *kube.MissingKeyError
	return errors.As(err, &noConfigMap) || errors.As(err, &noKey)
}

// values gathers what replaces the placeholders of a client's template.
func (r *renderer) values(ctx context.Context, t *template.Template, spec Spec) (template.Values, error) {
	values := template.Values{
		ClientName: spec.Name,
		AdminEmail: spec.AdminEmail,
		Variables:  maps.Clone(r.settings.Variables),
	}
	if values.Variables == nil {
		values.Variables = make(map[string]string, len(spec.Variables))
	}
	maps.Copy(values.Variables, spec.Variables)
	values.Secrets = maps.Clone(r.settings.Secrets)
	maps.DeleteFunc(values.Secrets, func(name, _ string) bool {
		_, isOverridden := spec.Variables[name]
		return isOverridden
	})
	if values.Secrets == nil {
		values.Secrets = make(map[string]string, len(spec.Secrets))
	}
	maps.Copy(values.Secrets, spec.Secrets)
	if t.Uses(ClusterDomainKey) {
		domain, err := r.clusterDomain(ctx)
		if err != nil {
			return values, err
		}
		values.ClusterDomain = domain
	}
	return values, nil
}

// url is the client's address as it is shown; empty if no Ingress names a host.
func (m *manifest) url(fields *managedfields.Manager) string { return shownURL(fields, m.objects, "") }

// claims returns the names of the claims that the client will have, those recorded of
// it included, sorted. It is never nil.
//
// They follow from the template and from what was recorded, and not from what there is
// at the moment: a plan and its apply must agree on them.
func (m *manifest) claims(prior *State) []string {
	claims := []string{}
	for _, object := range m.objects {
		if isStatefulSet(object) {
			claims = append(claims, kube.ClaimNames(object)...)
		}
	}
	if prior != nil {
		claims = append(claims, prior.Claims...)
	}
	slices.Sort(claims)
	return slices.Compact(claims)
}

// foldStringData moves the stringData of a Secret to its data, as the server does. The
// server stores no stringData, so a plan could not show what became of it.
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

// label marks an object as the client's. Only the object itself gets the labels: in
// selectors or pod templates they would restart pods.
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

// isStatefulSet reports whether an object is a StatefulSet of Kubernetes.
func isStatefulSet(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "apps", Kind: statefulSetKind}
}

// urlOf returns the address under which a client answers: the first host that one of
// its Ingresses names.
func urlOf(objects []*unstructured.Unstructured) string {
	url, _ := addressOf(objects)
	return url
}

// addressOf returns the address under which a client answers, with the Ingress that names
// it.
func addressOf(objects []*unstructured.Unstructured) (string, *unstructured.Unstructured) {
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
				return "https://" + host, object
			}
		}
	}
	return "", nil
}

// checkWorkload refuses a template without any workload for a client that has one.
func checkWorkload(m *manifest, spec Spec, prior *State) error {
	if prior == nil || slices.ContainsFunc(m.objects, func(object *unstructured.Unstructured) bool {
		return isWorkload(kube.RefOf(object))
	}) {
		return nil
	}
	had := slices.DeleteFunc(slices.Clone(prior.Refs), func(ref kube.Ref) bool { return !isWorkload(ref) })
	if len(had) == 0 {
		return nil
	}
	return &NoWorkloadError{Source: spec.Template, Client: spec.Name, Had: had}
}

// isWorkload reports whether an object runs pods.
func isWorkload(ref kube.Ref) bool {
	switch ref.Kind {
	case statefulSetKind, "Deployment", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod", "Job", "CronJob":
		return true
	}
	return false
}
