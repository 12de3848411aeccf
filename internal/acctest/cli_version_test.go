package acctest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

// cliOf returns the path of a program that says that it is a CLI of a version.
func cliOf(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cli-"+version)
	script := fmt.Sprintf("#!/bin/sh\ntest \"$*\" = 'version -json' && echo '{\"terraform_version\": %q}'\n", version)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// A test that needs a newer CLI than the one under test gets one: a named one, or one that
// is built only then.
func TestCLIOfAtLeast(t *testing.T) {
	least := version.MustParseGeneric("1.12.0")
	older, newer, muchNewer := cliOf(t, "1.11.4"), cliOf(t, "1.16.4"), cliOf(t, "1.100.0")
	broken := errors.New("the build failed")
	for name, test := range map[string]struct {
		current, newer string
		built          string
		want           string
		wantError      bool
	}{
		"the one under test is new enough":   {current: newer, want: newer},
		"a later one of two digits is newer": {current: muchNewer, newer: newer, want: muchNewer},
		"a named one":                        {current: older, newer: newer, want: newer},
		"one that is built":                  {current: older, built: newer, want: newer},
		"none is wanted":                     {current: older, newer: noNewer},
		"the build fails":                    {current: older, wantError: true},
		"the named one is too old":           {current: older, newer: older, wantError: true},
		"what is named is no CLI":            {current: older, newer: filepath.Join(t.TempDir(), "absent"), wantError: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cliOfAtLeast(least, test.current, test.newer, func() (string, error) {
				if test.built == "" {
					return "", broken
				}
				return test.built, nil
			})
			if (err != nil) != test.wantError || err == nil && got != test.want {
				t.Errorf("got %q, %v; want %q, an error: %v", got, err, test.want, test.wantError)
			}
		})
	}
}
