package provider

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// operatorTexts are the packages whose text an operator reads in errors and warnings.
var operatorTexts = []string{"connection", "kube", "managedfields", "mira", "provider", "rollout", "template"}

// sourceFiles returns the files of a package below internal/, without its tests, by their paths.
func sourceFiles(t *testing.T, name string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", name, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*ast.File)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
	}
	if len(files) == 0 {
		t.Fatalf("package %s has no files", name)
	}
	return files
}

// literal returns the text of an expression that is a string, or several that are joined. What
// is not a literal in it is left out.
func literal(expression ast.Expr) (text string, ok bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, isLeft := literal(e.X)
		right, isRight := literal(e.Y)
		return left + right, e.Op == token.ADD && (isLeft || isRight)
	case *ast.ParenExpr:
		return literal(e.X)
	}
	return "", false
}

// command is the beginning of one with arguments.
var command = regexp.MustCompile(`(?:kubectl|terraform|tofu|iconv) (?:-|auth|create|delete|describe|get|import|logs|patch|plan|apply|` +
	`destroy|replace|scale|state|taint|untaint|annotate|label|init)`)

// A CLI breaks the lines of an error at the width of the terminal, unless they begin with a
// blank. A command that it breaks cannot be pasted, so each has a line of its own that is indented.
func TestTexts_commandsCanBePasted(t *testing.T) {
	found := 0
	for _, name := range operatorTexts {
		for path, file := range sourceFiles(t, name) {
			ast.Inspect(file, func(node ast.Node) bool {
				expression, ok := node.(ast.Expr)
				if !ok {
					return true
				}
				text, ok := literal(expression)
				if !ok || !command.MatchString(text) {
					return true
				}
				for line := range strings.Lines(text) {
					at := command.FindStringIndex(line)
					if at == nil {
						continue
					}
					found++
					if line[:at[0]] != "  " {
						t.Errorf("%s: give the command a line of its own that begins with two blanks, or a CLI breaks it: %q", path, line)
					}
				}
				return false
			})
		}
	}
	if found < 20 {
		t.Errorf("found only %d commands: does the test still see the texts?", found)
	}
}
