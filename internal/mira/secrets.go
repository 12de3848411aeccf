package mira

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// secretsAnnotation is on the objects that hold secrets of the client's own configuration, and
// has the names of their variables. Without it a refresh and an import, which do not have the
// configuration, could not know that there are secrets: an apply that was killed leaves
// nothing in the state, and another state knows nothing of this one.
const secretsAnnotation = "mira-cluster.io/secret-variables" //nolint:gosec // names of variables

// secretsField is where the fields of an object have it.
const secretsField = "metadata.annotations[" + secretsAnnotation + "]"

// annotateSecrets notes on an object which secrets of a client it holds.
func annotateSecrets(object *template.Object, secrets map[string]string) {
	names := slices.DeleteFunc(object.Secrets(), func(name string) bool {
		_, isClients := secrets[name]
		return !isClients
	})
	if len(names) == 0 {
		return
	}
	// Annotations that are no mapping of texts are for the server to refuse.
	_ = unstructured.SetNestedField(object.Object, strings.Join(names, ","), "metadata", "annotations", secretsAnnotation)
}

// secretNames returns the names of the client's secrets that a live object holds.
func secretNames(live *unstructured.Unstructured) []string {
	names, _, _ := unstructured.NestedString(live.Object, "metadata", "annotations", secretsAnnotation)
	return strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
}

// namesSecrets reports whether a live object holds secrets of its client's configuration, or
// did so when its fields were recorded.
func namesSecrets(live *unstructured.Unstructured, recorded managedfields.Fields) bool {
	_, did := recorded[secretsField]
	return did || len(secretNames(live)) > 0
}

// usesAny reports whether a template uses one of some values.
func usesAny(t *template.Template, values map[string]string) bool {
	for name := range values {
		if t.Uses(name) {
			return true
		}
	}
	return false
}

// secretGuard keeps secrets out of the journal.
type secretGuard struct {
	known *managedfields.Secrets
	// isUsed: the client's template uses a secret.
	isUsed bool
}

// mayHold reports whether the live object of a change may hold a secret, a former one
// included: what was recorded of a secret is a hash.
func (g secretGuard) mayHold(c *objectChange) bool {
	if c.live.GetKind() == "Secret" || g.isUsed || namesSecrets(c.live, nil) {
		return true
	}
	for _, text := range c.prior {
		if managedfields.IsHash(text) {
			return true
		}
	}
	data, err := c.live.MarshalJSON()
	return err != nil || g.known.In(string(data))
}

// formerSecrets returns the secrets that the objects hold before they are written. The
// configuration does not have them any more, but the pods of the former revision may, to which
// an error about a roll back refers. Nil if the template has no secrets.
func (s changeSet) formerSecrets(m *manifest) *managedfields.Secrets {
	if !m.hasSecrets {
		return nil
	}
	known := maps.Clone(m.values.Variables)
	maps.DeleteFunc(known, func(name, _ string) bool { _, isSecret := m.values.Secrets[name]; return isSecret })
	known["CLIENT_NAME"], known["EMAIL_ADMIN"] = m.values.ClientName, m.values.AdminEmail
	if m.values.ClusterDomain != nil {
		known[ClusterDomainKey] = *m.values.ClusterDomain
	}
	recovered := m.template.Recover(known, func(kind schema.GroupKind, name string) *unstructured.Unstructured {
		for _, c := range s {
			if c.action != actionNone && c.live != nil && c.ref.GroupVersionKind().GroupKind() == kind && c.ref.Name == name {
				return c.live
			}
		}
		return nil
	})
	former := recoveredValues{Recovered: recovered}
	former.hide(recovered, m.values.Secrets)
	return managedfields.NewSecrets(former.hidden...)
}

// refreshedURL is [shownURL] for a refresh, which does not know the secrets of the client's
// configuration. An address that may hold one, and is not the recorded one, shows as a hash.
func refreshedURL(m *managedfields.Manager, live []*unstructured.Unstructured, prior *State) string {
	url := shownURL(m, live, prior.URL)
	_, ingress := addressOf(live)
	if ingress == nil || url == prior.URL || managedfields.IsHash(url) ||
		!namesSecrets(ingress, prior.Objects[kube.RefOf(ingress).Key()]) {
		return url
	}
	return m.Hide(ingress, url)
}

// shownURL is the client's address as it is shown, as a hash if there is a secret in it.
// `before` is what was shown of it so far.
func shownURL(m *managedfields.Manager, objects []*unstructured.Unstructured, before string) string {
	url, ingress := addressOf(objects)
	if ingress == nil {
		return url
	}
	return m.Show(ingress, url, before)
}

// logReader returns what reads the logs of containers for reports; nil if reports have
// none. The secrets of all clients are redacted before a line is shortened: a part of one is
// not known as one.
func logReader(c *kube.Client, settings Settings) rollout.LogReader {
	if settings.Rollout.OmitLogs {
		return nil
	}
	return func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) (string, error) {
		text, err := c.Logs(ctx, namespace, pod, container, previous, lines)
		return settings.Hidden.Redact(text), err
	}
}

// textData are the kinds whose data are text, by the mappings that hold them.
var textData = map[schema.GroupKind][]string{
	{Kind: "Secret"}:    {"data", "stringData"},
	{Kind: "ConfigMap"}: {"data", "binaryData"},
}

// base64Data are the mappings of those whose values are base64.
var base64Data = map[schema.GroupKind]string{{Kind: "Secret"}: "data", {Kind: "ConfigMap"}: "binaryData"}

// checkTexts refuses data of a Secret or a ConfigMap that are no text, or no base64 where
// it must be. The server's own errors would name no line, and show the value.
func checkTexts(object *template.Object) error {
	kind := object.GroupVersionKind().GroupKind()
	var refused []error
	for _, name := range textData[kind] {
		fields, ok := object.Object[name].(map[string]any)
		if !ok {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if reason := textProblem(fields[key], base64Data[kind] == name); reason != "" {
				refused = append(refused, &template.Error{Line: object.LineOf(name, key), Path: name + "." + key, Reason: reason})
			}
		}
	}
	return errors.Join(refused...)
}

// textProblem says what is wrong with a value that must be text; empty if nothing is.
func textProblem(value any, isBase64 bool) string {
	text, isText := value.(string)
	if !isText {
		return fmt.Sprintf("must be text, and YAML reads it as %s: put it in quotes", yamlType(value))
	}
	if _, err := base64.StdEncoding.DecodeString(text); isBase64 && err != nil {
		return "must be base64 text, and is not: plain text belongs in stringData of a Secret, or in data of a ConfigMap"
	}
	return ""
}

func yamlType(value any) string {
	switch value.(type) {
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "null"
}
