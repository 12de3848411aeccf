package template

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// checkCharacters finds characters that YAML does not allow anywhere, because the library does not report their line.
func checkCharacters(text string) *Error {
	line := 1
	for i, r := range text {
		switch {
		case r == '\n':
			line++
		case r == '\t', r == '\r', r == 0x85, r >= 0x20 && r <= 0x7e, r >= 0xa0 && r < 0xfffe && r != utf8.RuneError, r >= 0x10000:
		case r == utf8.RuneError && strings.HasPrefix(text[i:], string(utf8.RuneError)):
		case r == utf8.RuneError:
			return &Error{Line: line, Reason: "not valid UTF-8 text"}
		default:
			return &Error{Line: line, Reason: fmt.Sprintf("the control character %U is not allowed in YAML", r)}
		}
	}
	return nil
}

// readDocuments returns the content of each YAML document, or nil for an empty one. Placeholders are hidden in the text.
func readDocuments(text io.Reader) (contents []*yaml.Node, err error) {
	// The library uses panics for syntax errors, and does not catch all of them. A wrong edit of a ConfigMap must not end
	// the process.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser failed: %v", r)
		}
	}()
	decoder := yaml.NewDecoder(text)
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return contents, nil
		case err != nil:
			return contents, err
		}
		if len(document.Content) == 0 || isEmpty(document.Content[0]) {
			contents = append(contents, nil)
			continue
		}
		contents = append(contents, document.Content[0])
	}
}

// isEmpty reports whether a document is empty or null.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == tagNull && n.Style == 0
}

var (
	libraryMessage = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor  = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxError explains an error of the YAML library. The library's own line number may be missing, wrong by one, or that
// of the beginning of a block.
func (m mask) syntaxError(text string, document int, err error) *Error {
	line, construct := locate(text)
	_, message := splitMessage(err)
	e := &Error{Line: line, Document: document}
	if match := unknownAnchor.FindStringSubmatch(message); match != nil {
		if m.holds(match[1]) {
			e.Reason = fmt.Sprintf("the alias *%s holds a placeholder, which is possible in values and keys only", m.show(match[1]))
		} else {
			e.Reason = fmt.Sprintf("the alias *%s has no anchor &%[1]s before it", match[1])
		}
		return e
	}
	e.Reason = "not valid YAML: " + m.show(message)
	switch {
	case construct == 0 && strings.HasPrefix(message, "did not find expected ','"):
		e.Reason += "; the bracket that opens here is never closed"
	case construct > 0 && construct != line:
		e.Reason += fmt.Sprintf(" (in the block that begins in line %d)", construct)
	}
	e.Reason += hint(m.show(lineOf(text, line)), message)
	return e
}

// hint explains mistakes in a line that the library's messages do not mention.
func hint(line, message string) string {
	key := strings.TrimLeft(line, " -?")
	_, value, _ := strings.Cut(key, ": ")
	switch {
	case message == "found unexpected end of stream":
		return "; the quote that begins here is never closed"
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		return "; the line is indented with a tab, YAML takes spaces only"
	case beginsWithPercent(key), beginsWithPercent(strings.TrimSpace(value)):
		return "; what begins with % and is no placeholder must be quoted," +
			" and a placeholder's name has two or more capital letters, digits or underscores"
	}
	return ""
}

// beginsWithPercent reports whether a text begins with a percent sign that belongs to no placeholder.
func beginsWithPercent(text string) bool {
	return strings.HasPrefix(newMask(text).hide(text), "%")
}

func lineOf(text string, line int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return lines[line-1]
}

// splitMessage returns the line in an error of the library, or 0, and the message.
func splitMessage(err error) (int, string) {
	match := libraryMessage.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, err.Error()
	}
	line, _ := strconv.Atoi(match[1])
	return line, match[2]
}

// blockMessages are the errors for which the library reports the beginning of the block instead of the place.
var blockMessages = []string{
	"did not find expected key", "did not find expected '-' indicator",
	"did not find expected ',' or ']'", "did not find expected ',' or '}'",
}

// locate finds the line of a syntax error: the last line of the shortest beginning of the text for which the library
// reports the same error. construct is the line where the block or flow collection with the error begins, or 0.
func locate(text string) (line, construct int) {
	// The library reports no line number for the first line, so a line is put before it.
	unread := 0
	read := func(part string) string {
		r := strings.NewReader("\n" + part)
		_, err := readDocuments(r)
		unread = r.Len()
		if err == nil {
			return ""
		}
		return err.Error()
	}
	original := read(text)
	shifted, message := splitMessage(errors.New(original))
	if slices.Contains(blockMessages, message) {
		construct = shifted
	}

	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	offsets := make([]int, len(lines))
	offset := 0
	for i, l := range lines {
		offset += len(l)
		offsets[i] = offset
	}
	// The search begins at the last line that the library has read.
	last, _ := slices.BinarySearch(offsets, len(text)-unread)
	last = min(last, len(lines)-1)
	fails := func(i int) bool {
		part := text[:offsets[i]]
		if strings.HasPrefix(message, "did not find expected ','") && construct > 0 && construct <= i+1 {
			// A text that ends within brackets has the same error, so the brackets are closed.
			begin := 0
			if construct > 1 {
				begin = offsets[construct-2]
			}
			part += closing(part[begin:])
		}
		return read(part) == original
	}
	switch {
	case fails(last):
		return shortest(last, fails) + 1, construct
	case construct > 0:
		return construct, 0 // never closed
	}
	return max(1, min(shifted, len(lines))), 0
}

// shortest returns the least number up to last for which a condition is true. The condition must stay true from there
// on. The search is fast if the number is near last.
func shortest(last int, condition func(int) bool) int {
	step := 1
	for last-step >= 0 && condition(last-step) {
		last -= step
		step *= 2
	}
	low := max(0, last-step+1)
	return low + sort.Search(last-low, func(i int) bool { return condition(low + i) })
}

// closing returns the closing brackets that are missing at the end of a text.
func closing(text string) string {
	var open []byte
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		begins := i == 0 || strings.IndexByte(" \t\n[{,:", text[i-1]) >= 0
		switch {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && begins:
			quote = c
		case c == '#' && begins:
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(text)
			}
		case c == '[':
			open = append(open, ']')
		case c == '{':
			open = append(open, '}')
		case (c == ']' || c == '}') && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	slices.Reverse(open)
	return "\n" + string(open)
}
