package managedfields

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// MinimumSecret is how many bytes a secret value has at least. Shorter ones occur in any
// text by chance.
const MinimumSecret = 4

// minimumFragment is how many characters a part of a base64 text must have to be taken
// for that of a secret.
const minimumFragment = 8

// Secrets knows the values that must not be shown, in every form in which they may occur
// in a field or in a message: as they are, escaped for JSON, for Go or for a URL, in base64
// on their own or as a part of a longer text, with other Unicode normalization. Nil knows
// none.
type Secrets struct {
	forms    []string          // the longest first
	names    map[string]string // of the variables, by form
	replacer *strings.Replacer
}

// NewSecrets returns the secrets of some values, by the names of their variables. A name
// may have a value in each of the maps. Empty values are no secrets. It returns nil if there
// are no others.
func NewSecrets(values ...map[string]string) *Secrets {
	names := make(map[string]string)
	for _, of := range values {
		for name, value := range of {
			for _, form := range secretForms(value) {
				if was, ok := names[form]; !ok || name < was {
					names[form] = name
				}
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	s := &Secrets{names: names}
	for form := range names {
		s.forms = append(s.forms, form)
	}
	slices.SortFunc(s.forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(s.forms))
	for _, form := range s.forms {
		pairs = append(pairs, form, shownName(names[form]))
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

// shownName is what messages have in the place of a secret.
func shownName(variable string) string { return "(secret " + variable + ")" }

// In reports whether a text contains a secret.
func (s *Secrets) In(text string) bool {
	return s != nil && slices.ContainsFunc(s.forms, func(form string) bool { return strings.Contains(text, form) })
}

// Redact replaces the secrets in a text by the names of their variables.
func (s *Secrets) Redact(text string) string {
	if !s.In(text) {
		return text
	}
	return s.replacer.Replace(text)
}

// secretForms returns the texts by which a value would be known.
func secretForms(value string) []string {
	var forms []string
	add := func(form string, least int) {
		if len(form) >= least && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	for _, text := range []string{value, strings.TrimSpace(value), norm.NFC.String(value), norm.NFD.String(value)} {
		if text == "" {
			continue
		}
		least := MinimumSecret
		if text == value {
			least = 1
		}
		add(text, least)
		add(escapedJSON(text, true), least)
		add(escapedJSON(text, false), least)
		quoted := strconv.Quote(text)
		add(quoted[1:len(quoted)-1], least)
		add(url.QueryEscape(text), least)
		add(url.PathEscape(text), least)
		add(strings.Join(strings.Fields(text), " "), MinimumSecret) // as one line
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			add(encoding.EncodeToString([]byte(text)), 1)
			for before := range 3 {
				add(base64Within(encoding, text, before), minimumFragment)
			}
		}
	}
	return forms
}

// escapedJSON returns a text as it stands between the quotes of JSON.
func escapedJSON(text string, escapeHTML bool) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(text); err != nil {
		return text // a text can always be written
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// base64Within returns the characters that a text gives in the base64 of a longer one,
// whatever stands around it. `before` is how many bytes stand before it, modulo three.
func base64Within(encoding *base64.Encoding, text string, before int) string {
	const bitsOfCharacter = 6
	encoded := encoding.EncodeToString(append(make([]byte, before), text...))
	first := (before*8 + bitsOfCharacter - 1) / bitsOfCharacter
	last := (before + len(text)) * 8 / bitsOfCharacter
	if first >= last {
		return ""
	}
	return encoded[first:last]
}
