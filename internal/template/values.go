package template

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values are what replaces the placeholders for one client.
type Values struct {
	// ClientName is the value of %CLIENT_NAME%.
	ClientName string
	// ClusterDomain is the value of %CLUSTER_DOMAIN%. Nil means that none is configured, which is an error for a
	// template that uses it.
	ClusterDomain *string
	// AdminEmail is the value of %EMAIL_ADMIN%.
	AdminEmail string
	// Variables are the values of further placeholders, by name without percent signs.
	Variables map[string]string
	// Secrets are the values of further placeholders, which must not be shown. They are always text, and may not stand
	// where plans and errors show them: in keys and names. A secret has precedence over a variable of its name.
	Secrets map[string]string
}

// lookup returns the value of a placeholder and reports whether it has one. A variable cannot replace a built-in.
func (v *Values) lookup(name string) (string, bool) {
	switch name {
	case PlaceholderClientName:
		return v.ClientName, true
	case PlaceholderAdminEmail:
		return v.AdminEmail, true
	case PlaceholderClusterDomain:
		if v.ClusterDomain == nil {
			return "", false
		}
		return *v.ClusterDomain, true
	}
	if value, ok := v.Secrets[name]; ok {
		return value, true
	}
	value, ok := v.Variables[name]
	return value, ok
}

// secretOf returns the name of the first secret among the parts of a scalar, or "".
func (v *Values) secretOf(parts []part) string {
	if len(v.Secrets) == 0 {
		return ""
	}
	for _, p := range parts {
		if _, ok := v.Secrets[p.name]; ok && p.name != "" && !isBuiltIn(p.name) {
			return p.name
		}
	}
	return ""
}

// names returns the names of all placeholders that have a value, the built-in ones first.
func (v *Values) names() []string {
	names := []string{PlaceholderClientName, PlaceholderClusterDomain, PlaceholderAdminEmail}
	variables := maps.Clone(v.Variables)
	if variables == nil {
		variables = make(map[string]string, len(v.Secrets))
	}
	maps.Copy(variables, v.Secrets)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !isBuiltIn(name) {
			names = append(names, name)
		}
	}
	return names
}

// expand returns the text of parts, and false where a placeholder has no value.
func (v *Values) expand(parts []part) (string, bool) {
	if len(parts) == 1 {
		return v.textOf(parts[0])
	}
	var b strings.Builder
	for _, p := range parts {
		text, ok := v.textOf(p)
		if !ok {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// textOf returns the text of a part, and false for a placeholder without a value.
func (v *Values) textOf(p part) (string, bool) {
	if p.name == "" {
		return p.text, true
	}
	value, ok := v.lookup(p.name)
	if !ok && p.orText {
		return "%" + p.name + "%", true
	}
	return value, ok
}

// checkValues adds an error for each placeholder without a value, and for each value that is not valid text.
func (t *Template) checkValues(v *Values, errs *errorList) {
	for _, name := range t.Placeholders() {
		lines := t.uses[name]
		value, ok := v.lookup(name)
		switch {
		case !ok && t.ordinary[name]:
		case !ok:
			errs.add(&Error{Line: lines[0], Placeholder: name, Reason: undefined(name, lines[1:], v)})
		case !utf8.ValidString(value):
			reason := fmt.Sprintf("the value of %%%s%% is not valid UTF-8 text", name)
			errs.add(&Error{Line: lines[0], Placeholder: name, Reason: reason})
		}
	}
}

// undefined explains that a placeholder has no value, and how to set it.
func undefined(name string, furtherLines []int, v *Values) string {
	var b strings.Builder
	fmt.Fprintf(&b, "placeholder %%%s%%", name)
	if len(furtherLines) > 0 {
		fmt.Fprintf(&b, " (also in line %s)", enumerate(furtherLines))
	}
	b.WriteString(" has no value: set ")
	if name == PlaceholderClusterDomain {
		b.WriteString("the provider's argument cluster_domain, the environment variable CLUSTER_DOMAIN," +
			" or the key CLUSTER_DOMAIN of ConfigMap controller/mira-cluster-controller-config")
		return b.String()
	}
	fmt.Fprintf(&b, "variables.%s", name)
	names := v.names()
	if near := nearest(name, names); near != "" {
		fmt.Fprintf(&b, ", or write %%%s%% if that is meant", near)
	}
	fmt.Fprintf(&b, "; defined are %%%s%%", strings.Join(names, "%, %"))
	fmt.Fprintf(&b, "; if it is meant as text, set variables.%s to \"%%%[1]s%%\"", name)
	return b.String()
}

// enumerate lists line numbers, at most five of them.
func enumerate(lines []int) string {
	const most = 5
	var texts []string
	for i, line := range lines {
		if i == most {
			texts = append(texts, "...")
			break
		}
		texts = append(texts, strconv.Itoa(line))
	}
	return strings.Join(texts, ", ")
}

// nearest returns the name that a misspelled one most likely means, or "". Of several equally likely ones it returns the
// first.
func nearest(name string, names []string) string {
	best, least := "", len(name)/3+1
	for _, candidate := range names {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of two ASCII texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
