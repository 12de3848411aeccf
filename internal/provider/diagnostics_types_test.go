package provider

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// generalErrors are the error types without an entry in the table, and why they need
// none.
var generalErrors = map[string]string{
	"connection.NotConfiguredError": "configuring the provider reports it, before there is a client",
	"connection.SettingsError":      "configuring the provider reports it, at its attribute",
	"kube.BinaryKeyError":           "is part of mira.TemplateUnavailableError",
	"kube.NotRestoredError":         "is told in the report of a roll back",
	"kube.ForeignFieldsError":       "says itself who has to give way",
	"kube.MissingKeyError":          "is part of mira.TemplateUnavailableError",
	"kube.NotFoundError":            "is part of mira.TemplateUnavailableError; elsewhere its own words say it all",
	"mira.LeftError":                "is part of mira.RolledBackError, whose detail lists it",
	"mira.RolloutError":             "only wraps the errors of package rollout, which have entries",
	"template.Error":                "is part of mira.TemplateError, whose detail lists it",
}

// Each error type that the packages below return has an entry in the table, or a
// reason to have none. A new type must be put into one of the two.
func TestDiagnostics_types(t *testing.T) {
	has := make(map[string]bool)
	for _, entry := range failures {
		if typ := entry.errorType(); typ.Kind() == reflect.Pointer {
			has[filepath.Base(typ.Elem().PkgPath())+"."+typ.Elem().Name()] = true
		}
	}
	declared := make(map[string]bool)
	for _, dir := range []string{"connection", "kube", "managedfields", "mira", "rollout", "template"} {
		for _, name := range errorTypes(t, filepath.Join("..", dir)) {
			declared[dir+"."+name] = true
		}
	}
	if len(declared) < len(generalErrors) {
		t.Fatalf("found only %v", declared)
	}
	for name := range declared {
		switch reason, isGeneral := generalErrors[name]; {
		case !has[name] && !isGeneral:
			t.Errorf("%s has no entry in `failures` (diagnostics.go): give it a title and advice there, or a reason to have none in "+
				"`generalErrors`", name)
		case has[name] && isGeneral:
			t.Errorf("%s has an entry in `failures`, and one in `generalErrors`: %s", name, reason)
		}
	}
	for name := range generalErrors {
		if !declared[name] {
			t.Errorf("there is no %s any more; take it out of `generalErrors`", name)
		}
	}
}

// errorTypes returns the exported types of a package that have a method Error.
func errorTypes(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "Error" {
				continue
			}
			receiver := method.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	return names
}
