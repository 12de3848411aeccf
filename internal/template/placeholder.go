package template

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
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

// placeholderAt returns the name of the placeholder that begins with the percent sign at an index, or "".
func placeholderAt(text string, start int) string {
	end := start + 1 + nameLength(text[start+1:])
	if end == len(text) || text[end] != '%' || !isPlaceholderName(text[start+1:end]) {
		return ""
	}
	return text[start+1 : end]
}

// isOrdinaryText reports whether what looks like a placeholder is more likely a part of one of the two kinds of text in
// which percent signs stand close together. Such text is taken as it is, unless a value is set for the placeholder. The
// Django controller replaced three names and left everything else alone, so its templates may hold such text.
func isOrdinaryText(text string, start int, name string) bool {
	end := start + 1 + len(name) // the closing percent sign
	return isPercentEncoding(text[:start], name, text[end+1:]) || isDateFormat(name, text[end+1:]) ||
		// An encoded byte before a placeholder that the Django controller knew.
		len(name) == hexDigits && isHex(name) && isBuiltIn(placeholderAt(text, end))
}

const hexDigits = 2 // of a byte

// isPercentEncoding reports whether a name and the text around it are the bytes of an encoded URL, as in %C3%A9. Two
// hexadecimal digits are also a good name for a variable, such as DB, so the name alone does not count.
func isPercentEncoding(before, name, after string) bool {
	if !isHex(name) {
		return false
	}
	first := len(before) - hexDigits
	follows := first > 0 && before[first-1] == '%' && isHex(before[first:])
	if len(name) > hexDigits {
		return follows && isHex(after) // an encoded byte and capital letters, between encoded bytes
	}
	return follows || isHex(after)
}

// isHex reports whether a text begins with two hexadecimal digits.
func isHex(text string) bool {
	const digits = "0123456789abcdefABCDEF"
	return len(text) > 1 && strings.IndexByte(digits, text[0]) >= 0 && strings.IndexByte(digits, text[1]) >= 0
}

var (
	// dateBegin is a conversion and a separator of dates: those of ISO 8601 (%FT, %GW), and an hour (%HH).
	dateBegin = regexp.MustCompile(`^[A-DFGHIMNPR-Z][HTW]$`)
	// dateEnd is another conversion, with at most one letter after it: %T, %TZ.
	dateEnd = regexp.MustCompile(`^[aAbBcCdDeFgGhHIjklmMnNpPqrRsStTuUVwWxXyYzZ][a-zA-Z]?(?:[^0-9a-zA-Z_]|$)`)
)

// isDateFormat reports whether a name and the text after it are those of a format of date(1), as in +%FT%TZ. A name of
// this form is rare, and what follows a placeholder is seldom a letter or two.
func isDateFormat(name, after string) bool {
	const letters = 2
	return len(name) == letters && dateBegin.MatchString(name) && dateEnd.MatchString(after)
}

// part is a piece of a scalar: a placeholder if name is set, literal text otherwise.
type part struct {
	text string // the literal text
	name string // the placeholder's name
	line int    // the placeholder's line in the template
	// orText: without a value it is the text that it looks like, see [isOrdinaryText].
	orText bool
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
			name := placeholderAt(text, i)
			if name == "" {
				continue
			}
			end := i + 1 + len(name)
			mark := byte('q')
			if isOrdinaryText(text, i, name) {
				mark = 'r'
				if next := placeholderAt(text, end); next != "" && !isOrdinaryText(text, end, next) {
					continue // the closing percent sign opens a placeholder
				}
			}
			b.WriteString(text[done:i])
			b.WriteString(m.prefix)
			b.WriteString(name)
			b.WriteByte(mark)
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
		end := nameLength(word)
		number, rest, _ := strings.Cut(word[end+1:], "q")
		line, _ := strconv.Atoi(number)
		if start > 0 {
			parts = append(parts, part{text: text[:start]})
		}
		parts = append(parts, part{name: word[:end], line: line, orText: word[end] == 'r'})
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
