package provider

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// troubleshooting is the guide that explains each error and each warning.
const troubleshooting = "templates/guides/troubleshooting.md.tmpl"

// titles collects the titles of errors and warnings from the source of this package, each with
// the file that has it.
type titles struct {
	*testing.T
	constants        map[string]string
	errors, warnings map[string]string
}

// titleArguments are the functions that take a title, with its position among their arguments.
var titleArguments = map[string]int{
	"AddError": 0, "NewErrorDiagnostic": 0, "AddAttributeError": 1, "NewAttributeErrorDiagnostic": 1,
	"AddWarning": 0, "NewWarningDiagnostic": 0, "AddAttributeWarning": 1, "NewAttributeWarningDiagnostic": 1,
	"warns": 0, "warnsEach": 0, "checkName": 3,
}

// nameInTitle is the part of a title that differs from client to client.
var nameInTitle = regexp.MustCompile(` \(Client .*\)$`)

// titlesOf reads the titles out of the source.
func titlesOf(t *testing.T) *titles {
	t.Helper()
	all := &titles{T: t, constants: make(map[string]string), errors: make(map[string]string), warnings: make(map[string]string)}
	files := sourceFiles(t, "provider")
	for _, file := range files {
		for _, declaration := range file.Decls {
			if general, ok := declaration.(*ast.GenDecl); ok && general.Tok == token.CONST {
				for _, spec := range general.Specs {
					all.addConstants(spec.(*ast.ValueSpec))
				}
			}
		}
	}
	for path, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			all.inspect(filepath.Base(path), node)
			return true
		})
	}
	return all
}

func (s *titles) addConstants(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i < len(spec.Values) {
			if text, ok := literal(spec.Values[i]); ok {
				s.constants[name.Name] = text
			}
		}
	}
}

// inspect adds the title that a node has, if it has one.
func (s *titles) inspect(file string, node ast.Node) {
	ofFile := s.errors
	if strings.Contains(file, "warning") {
		ofFile = s.warnings
	}
	switch n := node.(type) {
	case *ast.KeyValueExpr: // of a table
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "title" {
			if title, ok := s.title(n.Value); ok {
				ofFile[title] = file
			}
		}
	case *ast.AssignStmt:
		if name, ok := n.Lhs[0].(*ast.Ident); ok && name.Name == "title" {
			if title, ok := s.title(n.Rhs[0]); ok {
				ofFile[title] = file
			}
		}
	case *ast.CallExpr:
		name := calledName(n)
		at, ok := titleArguments[name]
		if !ok || at >= len(n.Args) {
			return
		}
		title, ok := s.title(n.Args[at])
		switch {
		case ok && (strings.Contains(strings.ToLower(name), "warn")):
			s.warnings[title] = file
		case ok:
			s.errors[title] = file
		case !isTitleFromElsewhere(n.Args[at]):
			s.Errorf("%s: give %s its title as a literal or a constant, or this test cannot see that %s explains it", file, name, troubleshooting)
		}
	}
}

// title returns the fixed part of a title: a literal, a constant, or the format of a text.
func (s *titles) title(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.Ident:
		text, ok := s.constants[e.Name]
		return text, ok
	case *ast.CallExpr:
		if calledName(e) != "Sprintf" {
			return "", false
		}
		text, ok := s.title(e.Args[0])
		return text, ok && !strings.HasPrefix(text, "%")
	}
	text, ok := literal(expression)
	return nameInTitle.ReplaceAllString(text, ""), ok
}

// isTitleFromElsewhere reports whether an expression is the title of a table's entry or of another
// diagnostic.
func isTitleFromElsewhere(expression ast.Expr) bool {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name == "title"
	case *ast.SelectorExpr:
		return e.Sel.Name == "title"
	case *ast.CallExpr:
		return calledName(e) == "Summary"
	}
	return false
}

func calledName(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}

// explained returns the titles in the table below a heading of the guide, in its order.
func explained(t *testing.T, heading string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(troubleshooting)))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var found []string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		title := strings.TrimSpace(cells[0])
		if len(cells) != 3 || strings.TrimSpace(cells[1]) == "" || strings.TrimSpace(cells[2]) == "" {
			t.Errorf("%s: the row of %q must have three cells: its title, what it means, and what to do", troubleshooting, title)
		}
		if title != "Title" && !strings.HasPrefix(title, "-") {
			found = append(found, nameInTitle.ReplaceAllString(title, ""))
		}
	}
	return found
}

// The guide explains each error and each warning of the provider, and no others.
func TestTroubleshooting_explainsEveryTitle(t *testing.T) {
	all := titlesOf(t)
	for _, table := range []struct {
		heading string
		titles  map[string]string
		least   int
	}{{"Errors", all.errors, 60}, {"Warnings", all.warnings, 30}} {
		if len(table.titles) < table.least {
			t.Errorf("found only %d titles of %s in the source: does the test still see them?", len(table.titles), table.heading)
		}
		found := explained(t, table.heading)
		for title, file := range table.titles {
			if !slices.Contains(found, title) {
				t.Errorf("%q of internal/provider/%s is missing in the table %q of %s: add a row | %s | what it means | what to do |, "+
					"and run `make generate`", title, file, table.heading, troubleshooting, title)
			}
		}
		for _, title := range found {
			if _, ok := table.titles[title]; !ok {
				t.Errorf("%s, table %q: %q is no title in internal/provider", troubleshooting, table.heading, title)
			}
		}
		if !slices.IsSorted(found) {
			t.Errorf("%s: the rows of the table %q are not in alphabetical order, as in %q", troubleshooting, table.heading,
				slices.Sorted(slices.Values(found)))
		}
	}
}
