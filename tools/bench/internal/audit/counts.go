package audit

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Kind is a kind of requests, which are counted together.
type Kind struct {
	// Verb is the verb in the audit log, or "dry-run" for a write with dryRun.
	Verb string
	// Resource is the resource of the object, with its subresource, or "discovery" or
	// "openapi" for a request without an object.
	Resource string
}

// Counts are the numbers of requests.
type Counts struct {
	ByKind map[Kind]int
	// Continued is how many requests are for a further page of a LIST.
	Continued int
	// Refused is how many requests ended with an error other than "not found".
	Refused int
}

// Count counts the requests of one requester. The log has an event for each stage of a
// request, which counts once.
func Count(events []Event, of Requester) Counts {
	counts := Counts{ByKind: make(map[Kind]int)}
	seen := make(map[string]bool)
	for _, event := range events {
		if !of.made(event) {
			continue
		}
		if event.ResponseStatus != nil && event.ResponseStatus.Code >= http.StatusBadRequest &&
			event.ResponseStatus.Code != http.StatusNotFound &&
			event.Stage == "ResponseComplete" {
			counts.Refused++
		}
		if seen[event.ID] {
			continue
		}
		seen[event.ID] = true
		kind, continued := kindOf(event)
		counts.ByKind[kind]++
		if continued {
			counts.Continued++
		}
	}
	return counts
}

func kindOf(event Event) (Kind, bool) {
	path, rawQuery, _ := strings.Cut(event.RequestURI, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		query = nil // not a request that needs its query
	}
	kind := Kind{Verb: event.Verb}
	if query.Get("dryRun") != "" {
		kind.Verb = "dry-run"
	}
	switch {
	case event.ObjectRef != nil && event.ObjectRef.Resource != "":
		kind.Resource = event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			kind.Resource += "/" + event.ObjectRef.Subresource
		}
	case strings.HasPrefix(path, "/openapi"):
		kind.Resource = "openapi"
	case path == "/api", path == "/apis", strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/apis/"):
		kind.Resource = "discovery"
	default:
		kind.Resource = path
	}
	return kind, query.Get("continue") != ""
}

// Total returns the number of requests.
func (c Counts) Total() int {
	total := 0
	for _, count := range c.ByKind {
		total += count
	}
	return total
}

// Kinds returns the kinds of the requests, the most frequent first.
func (c Counts) Kinds() []Kind {
	return slices.SortedFunc(maps.Keys(c.ByKind), func(a, b Kind) int {
		return cmp.Or(cmp.Compare(c.ByKind[b], c.ByKind[a]), strings.Compare(a.Verb, b.Verb), strings.Compare(a.Resource, b.Resource))
	})
}

// String lists the counts by kind, such as "2 list services, 1 get configmaps".
func (c Counts) String() string {
	var parts []string
	for _, kind := range c.Kinds() {
		parts = append(parts, fmt.Sprintf("%d %s %s", c.ByKind[kind], kind.Verb, kind.Resource))
	}
	if c.Refused > 0 {
		parts = append(parts, fmt.Sprintf("%d of these refused", c.Refused))
	}
	return strings.Join(parts, ", ")
}
