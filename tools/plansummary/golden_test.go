package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files again")

// The inputs are plans of Terraform 1.11 for a fleet of nine clients, without the parts that are not read and most fields
// that do not change: a new image; acme lost its Service, and globex was scaled by hand; initech has fewer replicas, umbrella
// another serviceName; hooli and trial are removed, the first with its data; piper is imported, soylent adopted, wonka
// new. release.json is a new version in a mira_template and in two clients that refer to it.
func TestGolden(t *testing.T) {
	for golden, arguments := range map[string][]string{
		"plan.txt":         {"-log", "testdata/plan.log", "testdata/plan.json"},
		"plan.md":          {"-format", "markdown", "-log", "testdata/plan.log", "testdata/plan.json"},
		"plan.out.json":    {"-format", "json", "testdata/plan.json"},
		"drift.txt":        {"-drift", "testdata/plan.json"},
		"drift.md":         {"-drift", "-format", "markdown", "testdata/refresh.json"},
		"drift.out.json":   {"-drift", "-format", "json", "testdata/refresh.json"},
		"refresh-only.txt": {"testdata/refresh.json"},
		"release.txt":      {"testdata/release.json"},
		"release.md":       {"-format", "markdown", "testdata/release.json"},
	} {
		t.Run(golden, func(t *testing.T) {
			got := runWith(t, "", exitDone, arguments...)
			file := filepath.Join("testdata", golden)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got); -update writes it again:\n%s", file, diff)
			}
		})
	}
}
