// Command release holds what a release needs beside goreleaser: the notes of a tag from CHANGELOG.md, and a check of what was
// built against what the Terraform registry and the OpenTofu registry ask for. RELEASING.md says how releases are made.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const usage = `Usage: go run ./tools/release notes TAG
           prints the notes of a tag's release, from CHANGELOG.md. A section that is missing or has no date is an error.
       go run ./tools/release check FOLDER [PLATFORM]
           checks what goreleaser has built into a folder: names, checksums, binaries and bills of materials, of every platform or
           of one such as linux_amd64.

Both run at the top of the repository.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "notes":
		err = printNotes(stdout, args[1])
	case (len(args) == 2 || len(args) == 3) && args[0] == "check":
		err = checkFolder(stdout, args[1], args[2:])
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func printNotes(w io.Writer, tag string) error {
	text, err := os.ReadFile(changelogFile)
	if err != nil {
		return err
	}
	body, err := notes(string(text), tag)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, body)
	return err
}

// checkFolder checks a folder for the given platforms, or all.
func checkFolder(w io.Writer, folder string, only []string) error {
	manifest, err := os.ReadFile(manifestFile)
	if err != nil {
		return err
	}
	b := build{name: providerName, module: providerModule, platforms: platforms, manifest: manifest}
	if len(only) > 0 {
		b.platforms = only
	}
	version, err := b.check(folder)
	if err != nil {
		return fmt.Errorf("%s is not what a release must be:\n%w", folder, err)
	}
	_, err = fmt.Fprintf(w, "%s holds %s %s for %s, as the registries ask for.\n", folder, b.name, version, strings.Join(b.platforms, ", "))
	return err
}
