package managedfields

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// mask hides secrets in what is shown of objects.
type mask struct{ secrets *Secrets }

// Show returns what is shown of a text that belongs to an object: its hash if it contains
// a secret, or if a hash was shown of it before. What was a secret once may still be one
// after it was changed by hand, or in the configuration.
func (m mask) Show(object *unstructured.Unstructured, text, before string) string {
	if text == "" || IsHash(text) || !m.secrets.In(text) && !IsHash(before) {
		return text
	}
	return hashed(object, text)
}

// Hide returns the hash of a text that belongs to an object.
func (mask) Hide(object *unstructured.Unstructured, text string) string { return hashed(object, text) }

// Secrets returns what the manager does not show. It may be nil.
func (m mask) Secrets() *Secrets { return m.secrets }

// keepHidden shows hashes of those fields of which hashes were shown before.
func (m mask) keepHidden(object *unstructured.Unstructured, fields, before Fields) Fields {
	for path, was := range before {
		if !IsHash(was) {
			continue
		}
		if text, ok := fields[path]; ok {
			fields[path] = m.Show(object, text, was)
		}
	}
	return fields
}

// withoutSecrets hides secrets in the paths of fields, too. A path holds a secret where the merge
// key of a list item is one.
func (m mask) withoutSecrets(fields Fields) Fields {
	if m.secrets == nil {
		return fields
	}
	for path, text := range fields {
		if shown := m.secrets.Redact(path); shown != path {
			delete(fields, path)
			fields[shown] = text
		}
	}
	return fields
}

// hashPrefix begins what is shown in the place of a secret.
const hashPrefix = "sha256:"

// hashBytes is how much of the hash is shown.
const hashBytes = 8

// hashed returns what is shown of a secret value of an object: it tells that the value has
// changed, and not what it is. The object's name is part of it, so that equal values of two
// objects do not look equal.
func hashed(object *unstructured.Unstructured, text string) string {
	sum := sha256.New()
	for _, part := range []string{object.GetKind(), object.GetNamespace(), object.GetName(), norm.NFC.String(text)} {
		sum.Write([]byte(strconv.Quote(part)))
	}
	return hashPrefix + hex.EncodeToString(sum.Sum(nil)[:hashBytes])
}

// IsHash reports whether a field shows a hash in the place of its value.
func IsHash(text string) bool {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || len(digits) != hex.EncodedLen(hashBytes) {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}
