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

// Kind is what requests are counted by.
type Kind struct {
	// Verb is that of the audit log; "dry-run" stands for a write that is one.
	Verb string
	// Resource is that of the object, with its subresource; "discovery" or
	// "openapi" where there is none.
	Resource string
}

// Counts is how many requests of each kind there were.
type Counts struct {
	ByKind map[Kind]int
	// Continued is how many of them ask for a further page of a LIST.
	Continued int
	// Refused is how many were answered with an error that is not "not found".
	Refused int
}

// Count counts the requests of one requester. A request stands in the log once per
// stage, and counts once.
func Count(events []Event, of Requester) Counts {
	counts := Counts{ByKind: make(map[Kind]int)}
	seen := make(map[string]bool)
	for _, event := range events {
		if !of.made(event) {
			continue
		}
		if event.ResponseStatus != nil && event.ResponseStatus.Code >= http.StatusBadRequest && event.ResponseStatus.Code != http.StatusNotFound && event.Stage == "ResponseComplete" {
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
		query = nil // what can be read of it does not matter then
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

// Total is the number of requests.
func (c Counts) Total() int {
	total := 0
	for _, count := range c.ByKind {
		total += count
	}
	return total
}

// Kinds are those that there were, the most frequent first.
func (c Counts) Kinds() []Kind {
	return slices.SortedFunc(maps.Keys(c.ByKind), func(a, b Kind) int {
		return cmp.Or(cmp.Compare(c.ByKind[b], c.ByKind[a]), strings.Compare(a.Verb, b.Verb), strings.Compare(a.Resource, b.Resource))
	})
}

// String lists the counts by kind: "2 list services, 1 get configmaps".
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
