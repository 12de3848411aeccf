package command

import (
	"maps"
	"regexp"
	"slices"
)

// changed finds the instances that a plan shows as changed, in the output of both CLIs:
// `# mira_client.this["a"] will be updated in-place`.
var changed = regexp.MustCompile(`(?m)^\s*# (\S+) (?:will be|must be) (?:updated in-place|created|replaced|destroyed)`)

// key finds the key of an instance in its address.
var key = regexp.MustCompile(`\["([^"]+)"\]$`)

// Changed returns the keys of the instances that the output of a plan shows as changed,
// sorted. An instance without a key is listed by its address.
func Changed(output string) []string {
	keys := make(map[string]bool)
	for _, match := range changed.FindAllStringSubmatch(output, -1) {
		name := match[1]
		if inner := key.FindStringSubmatch(name); inner != nil {
			name = inner[1]
		}
		keys[name] = true
	}
	return slices.Sorted(maps.Keys(keys))
}
