package template

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The names of the built-in placeholders, without percent signs.
const (
	// PlaceholderClientName is replaced by the client's name.
	PlaceholderClientName = "CLIENT_NAME"
	// PlaceholderClusterDomain is replaced by the domain of all clients of a cluster.
	PlaceholderClusterDomain = "CLUSTER_DOMAIN"
	// PlaceholderAdminEmail is replaced by the e-mail address of the client's administrator.
	PlaceholderAdminEmail = "EMAIL_ADMIN"
)

func isBuiltIn(name string) bool {
	switch name {
	case PlaceholderClientName, PlaceholderClusterDomain, PlaceholderAdminEmail:
		return true
	}
	return false
}

// ValidVariableName returns an error unless a variable may have this name: a capital letter, then capital letters, digits
// and underscores, at least two characters, no underscore at the end, and not the name of a built-in. The error is an
// *Error without a line.
func ValidVariableName(name string) error {
	var reason string
	switch {
	case isBuiltIn(name):
		reason = "has a value of its own for every client and cannot be set as a variable"
	case !isPlaceholderName(name):
		reason = "is not a placeholder name: it must have at least two characters, capital letters, digits and underscores only," +
			" begin with a letter and not end with an underscore, as IMAGE_TAG does"
	default:
		return nil
	}
	return &Error{Placeholder: name, Reason: fmt.Sprintf("%q %s", name, reason)}
}

// isPlaceholderName reports whether s can be a placeholder. It requires two characters, because date formats such as
// +%Y%m%d are common in the commands of containers.
func isPlaceholderName(s string) bool {
	if len(s) < 2 || s[0] < 'A' || s[0] > 'Z' || s[len(s)-1] == '_' {
		return false
	}
	return nameLength(s) == len(s)
}

// nameLength returns the number of leading bytes of s that may be part of a placeholder name.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return i
		}
	}
	return len(s)
}

// part is a piece of a scalar: a placeholder if name is set, literal text otherwise.
type part struct {
	text string // the literal text
	name string // the placeholder's name
	line int    // the placeholder's line in the template
}

// joinParts returns the text as written in the template.
func joinParts(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.name != "" {
			b.WriteString("%" + p.name + "%")
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// mask hides placeholders from the YAML parser, because a plain scalar may not begin with a percent sign. Each
// placeholder becomes a word of ASCII letters and digits, which is legal everywhere in a YAML text, leaves the line breaks
// as they are, and contains the placeholder's name and line.
type mask struct {
	prefix string
}

// newMask chooses a word that the text does not contain. The word is derived from the text's hash. Escape sequences and
// line folding within the text cannot produce it either, and the same text always has the same words.
func newMask(text string) mask {
	sum := sha256.Sum256([]byte(text))
	for {
		m := mask{prefix: "ph" + hex.EncodeToString(sum[:8]) + "q"}
		if !strings.Contains(text, m.prefix) {
			return m
		}
		sum = sha256.Sum256(sum[:])
	}
}

// hide replaces every placeholder, from left to right, without overlaps.
func (m mask) hide(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/8)
	line, done := 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			line++
		case '%':
			end := i + 1 + nameLength(text[i+1:])
			if end == len(text) || text[end] != '%' || !isPlaceholderName(text[i+1:end]) {
				continue
			}
			b.WriteString(text[done:i])
			b.WriteString(m.prefix)
			b.WriteString(text[i+1 : end])
			b.WriteByte('q')
			b.WriteString(strconv.Itoa(line))
			b.WriteByte('q')
			i, done = end, end+1
		}
	}
	b.WriteString(text[done:])
	return b.String()
}

// split returns the parts of a text in which placeholders are hidden, or nil if there are none.
func (m mask) split(text string) []part {
	var parts []part
	for {
		start := strings.Index(text, m.prefix)
		if start < 0 {
			break
		}
		word := text[start+len(m.prefix):]
		name, rest, _ := strings.Cut(word, "q")
		number, rest, _ := strings.Cut(rest, "q")
		line, _ := strconv.Atoi(number)
		if start > 0 {
			parts = append(parts, part{text: text[:start]})
		}
		parts = append(parts, part{name: name, line: line})
		text = rest
	}
	if parts != nil && text != "" {
		parts = append(parts, part{text: text})
	}
	return parts
}

// holds reports whether a placeholder is hidden in the text.
func (m mask) holds(text string) bool {
	return strings.Contains(text, m.prefix)
}

// show returns a text as written in the template.
func (m mask) show(text string) string {
	parts := m.split(text)
	if parts == nil {
		return text
	}
	return joinParts(parts)
}
