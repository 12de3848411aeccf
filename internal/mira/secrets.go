package mira

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

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

func (o *operation) secretGuard() secretGuard {
	return secretGuard{known: o.fields.Secrets(), isUsed: o.manifest != nil && o.manifest.hasSecrets}
}

// mayHold reports whether the live object of a change may hold a secret, a former one
// included: what was recorded of a secret is a hash.
func (g secretGuard) mayHold(c *objectChange) bool {
	if c.live.GetKind() == "Secret" || g.isUsed {
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
// none. Secrets are redacted before a line is shortened: a part of one is not known as one.
func logReader(c *kube.Client, settings Settings) rollout.LogReader {
	if settings.Rollout.OmitLogs {
		return nil
	}
	return func(ctx context.Context, namespace, pod, container string, previous bool, lines int64) (string, error) {
		text, err := c.Logs(ctx, namespace, pod, container, previous, lines)
		return c.Manager().Secrets().Redact(text), err
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
