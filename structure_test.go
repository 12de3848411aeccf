package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"testing"
)

// What is larger is split: a file by role, a type by job.
const (
	maximumLines   = 500 // of a Go file
	maximumMethods = 25  // of a type
)

func TestFilesAndTypesStaySmall(t *testing.T) {
	t.Parallel()
	methods := make(map[string]int) // by directory and type
	files := token.NewFileSet()
	for _, root := range []string{"internal", "tools"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			if lines := files.File(file.FileStart).LineCount(); lines > maximumLines+1 {
				t.Errorf("%s has %d lines, more than %d", path, lines, maximumLines)
			}
			for _, declared := range file.Decls {
				if method, ok := declared.(*ast.FuncDecl); ok && method.Recv != nil {
					methods[filepath.Dir(path)+": "+receiver(method.Recv.List[0].Type)]++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, count := range methods {
		if count > maximumMethods {
			t.Errorf("%s has %d methods, more than %d", name, count, maximumMethods)
		}
	}
}

// receiver returns the name of a method's type.
func receiver(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return receiver(of.X)
	case *ast.IndexExpr:
		return receiver(of.X)
	case *ast.Ident:
		return of.Name
	}
	return "unknown"
}
