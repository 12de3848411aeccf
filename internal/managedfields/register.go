package managedfields

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Register knows the secrets of all clients that this process has seen. A message about one
// client may quote another one, as that of a closed gate does, so that messages are redacted
// for all of them. (Fields show hashes of their own client's secrets only, or what a plan
// shows would depend on which clients were planned before.)
//
// Its cost does not grow with the number of secrets. It is safe for concurrent use; nil knows
// no secrets.
type Register struct {
	mu    sync.RWMutex
	forms map[formStart][]form // by how they start, the longest first
}

// formStart is how a form starts. Values of fewer bytes are refused as secrets.
type formStart [MinimumSecret]byte

// form is a text by which a secret is known, and what shows in its place.
type form struct{ text, shown string }

// Add adds the secrets of a client.
func (r *Register) Add(secrets *Secrets) {
	if r == nil || secrets == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forms == nil {
		r.forms = make(map[formStart][]form)
	}
	for _, text := range secrets.forms {
		if len(text) >= MinimumSecret {
			start := formStart([]byte(text[:MinimumSecret]))
			r.forms[start] = withForm(r.forms[start], form{text: text, shown: shownName(secrets.names[text])})
		}
	}
}

// withForm adds a form, unless it is there. Of two names of one secret the first by the
// alphabet counts, whichever comes first.
func withForm(forms []form, added form) []form {
	at, isKnown := slices.BinarySearchFunc(forms, added, func(a, b form) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.text, b.text))
	})
	if !isKnown {
		return slices.Insert(forms, at, added)
	}
	forms[at].shown = min(forms[at].shown, added.shown)
	return forms
}

// In reports whether a text contains a secret.
func (r *Register) In(text string) bool { return r.Redact(text) != text }

// Redact replaces the secrets in a text by the names of their variables.
func (r *Register) Redact(text string) string {
	if r == nil {
		return text
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.forms) == 0 {
		return text
	}
	var redacted strings.Builder
	copied := 0
	for at := 0; at+MinimumSecret <= len(text); {
		found := r.at(text[at:])
		if found == nil {
			at++
			continue
		}
		redacted.WriteString(text[copied:at])
		redacted.WriteString(found.shown)
		at += len(found.text)
		copied = at
	}
	if copied == 0 {
		return text
	}
	redacted.WriteString(text[copied:])
	return redacted.String()
}

// at returns the longest form with which a text begins; nil if there is none.
func (r *Register) at(text string) *form {
	forms := r.forms[formStart([]byte(text[:MinimumSecret]))]
	for i := range forms {
		if strings.HasPrefix(text, forms[i].text) {
			return &forms[i]
		}
	}
	return nil
}
