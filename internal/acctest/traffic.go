package acctest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Traffic counts what the sandbox's provider asks the API server for.
type Traffic struct {
	mu    sync.Mutex
	kinds map[string]int
	bytes int64
}

// Count puts a proxy that counts between the sandbox's provider and the API server.
// Only a provider whose configuration is made afterwards goes through it.
func (s *Sandbox) Count(t *testing.T) *Traffic {
	t.Helper()
	traffic := &Traffic{kinds: make(map[string]int)}
	s.proxy(t, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		traffic.mu.Lock()
		traffic.kinds[kindOf(r)]++
		traffic.mu.Unlock()
		pass.ServeHTTP(countingWriter{ResponseWriter: w, traffic: traffic}, r)
	})
	return traffic
}

// kindOf returns what a request asks for, such as `list statefulsets` or `dry-run
// patch services`.
func kindOf(r *http.Request) string {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	resource, verb := segments[len(segments)-1], strings.ToLower(r.Method)
	if i := slices.Index(segments, "namespaces"); i >= 0 && i+2 < len(segments) {
		resource = segments[i+2]
		if verb == "get" && i+3 == len(segments) {
			verb = "list"
		}
	}
	if r.URL.Query().Has("watch") {
		verb = "watch"
	}
	if r.URL.Query().Has("dryRun") {
		verb = "dry-run " + verb
	}
	return verb + " " + resource
}

// Reset forgets what was counted so far.
func (f *Traffic) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kinds, f.bytes = make(map[string]int), 0
}

// Bytes returns the length of all answers' bodies, as they went over the wire.
func (f *Traffic) Bytes() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}

// Requests returns how many requests there were: all, or those whose kind begins with
// one of the prefixes.
func (f *Traffic) Requests(prefixes ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	total := 0
	for kind, n := range f.kinds {
		if len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(kind, prefix) }) {
			total += n
		}
	}
	return total
}

// String returns a line for each kind of request.
func (f *Traffic) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(f.kinds)) {
		fmt.Fprintf(&b, "%6d %s\n", f.kinds[kind], kind)
	}
	fmt.Fprintf(&b, "%6d bytes", f.bytes)
	return b.String()
}

// countingWriter counts what goes to the client.
type countingWriter struct {
	http.ResponseWriter
	traffic *Traffic
}

func (w countingWriter) Write(data []byte) (int, error) {
	w.traffic.mu.Lock()
	w.traffic.bytes += int64(len(data))
	w.traffic.mu.Unlock()
	return w.ResponseWriter.Write(data)
}

// Unwrap lets watches be flushed.
func (w countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
