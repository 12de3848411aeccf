package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const me = "system:serviceaccount:bench:controller"

// line is an event as kube-apiserver 1.36 writes it at level Metadata.
func line(id, stage, verb, uri, user, agent, ref string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":%q,"stage":%q,"requestURI":%q,"verb":%q,`+
		`"user":{"username":%q,"groups":["system:authenticated"]},"sourceIPs":["127.0.0.1"],"userAgent":%q%s,`+
		`"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z",`+
		`"stageTimestamp":"2026-01-01T00:00:00.000000Z"}`+"\n",
		id, stage, uri, verb, user, agent, ref)
}

func sample() string {
	services := `,"objectRef":{"resource":"services","namespace":"bench","apiVersion":"v1"}`
	set := `,"objectRef":{"resource":"statefulsets","namespace":"bench","name":"mira-a","apiGroup":"apps","apiVersion":"v1"}`
	log := `,"objectRef":{"resource":"pods","namespace":"bench","name":"mira-a-0","apiVersion":"v1","subresource":"log"}`
	mine := func(id, stage, verb, uri, ref string) string {
		return line(id, stage, verb, uri, me, "terraform-provider-mira/dev", ref)
	}
	return mine("1", "ResponseComplete", "list", "/api/v1/namespaces/bench/services?limit=500", services) +
		mine("2", "ResponseComplete", "list", "/api/v1/namespaces/bench/services?continue=abc&limit=500", services) +
		mine("3", "ResponseStarted", "watch", "/apis/apps/v1/statefulsets?watch=true", set) +
		mine("3", "ResponseComplete", "watch", "/apis/apps/v1/statefulsets?watch=true", set) +
		mine("4", "ResponseComplete", "patch", "/apis/apps/v1/namespaces/bench/statefulsets/mira-a?dryRun=All&fieldManager=x", set) +
		mine("5", "ResponseComplete", "patch", "/apis/apps/v1/namespaces/bench/statefulsets/mira-a?fieldManager=x", set) +
		mine("6", "ResponseComplete", "get", "/api/v1/namespaces/bench/pods/mira-a-0/log", log) +
		mine("7", "ResponseComplete", "get", "/apis/apps/v1?timeout=32s", "") +
		mine("8", "ResponseComplete", "get", "/openapi/v3/apis/apps/v1", "") +
		line("9", "ResponseComplete", "patch", "/apis/apps/v1/namespaces/bench/statefulsets/mira-a/status", "system:kwok", "kwok", set) +
		line("10", "ResponseComplete", "get", "/api/v1/namespaces/bench/services", me, "kubectl/v1.36", services) +
		"\n" +
		line("11", "ResponseComplete", "get", "/version", "admin", "mark", "")
}

func read(t *testing.T, text string) []Event {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("an earlier line that nobody reads\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	// The last line is incomplete when it is first read.
	if _, err := file.WriteString(text[:len(text)-10]); err != nil {
		t.Fatal(err)
	}
	first, err := log.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text[len(text)-10:]); err != nil {
		t.Fatal(err)
	}
	rest, err := log.Until(t.Context(), func(e Event) bool { return e.UserAgent == "mark" })
	if err != nil {
		t.Fatal(err)
	}
	return append(first, rest...)
}

func TestCount(t *testing.T) {
	counts := Count(read(t, sample()), Requester{Username: me, UserAgent: "terraform-provider-mira"})
	want := Counts{Continued: 1, ByKind: map[Kind]int{
		{"list", "services"}:        2,
		{"watch", "statefulsets"}:   1,
		{"dry-run", "statefulsets"}: 1,
		{"patch", "statefulsets"}:   1,
		{"get", "pods/log"}:         1,
		{"get", "discovery"}:        1,
		{"get", "openapi"}:          1,
	}}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if counts.Total() != 8 {
		t.Errorf("Total = %d, want 8", counts.Total())
	}
	if got, want := counts.String(), "2 list services, 1 dry-run statefulsets, 1 get discovery,"; !strings.HasPrefix(got, want) {
		t.Errorf("String = %q, want %q first", got, want)
	}
}

func TestCountAnyUserAgent(t *testing.T) {
	counts := Count(read(t, sample()), Requester{Username: me})
	if counts.Total() != 9 {
		t.Errorf("Total = %d, want 9", counts.Total())
	}
}

func TestCountRefused(t *testing.T) {
	refused := strings.Replace(line("1", "ResponseComplete", "list", "/api/v1/pods", me, "x", ""), `"code":200`, `"code":403`, 1)
	counts := Count(read(t, refused+line("2", "ResponseComplete", "get", "/version", "admin", "mark", "")), Requester{Username: me})
	if counts.Refused != 1 || counts.Total() != 1 {
		t.Errorf("counts = %+v, want one request, refused", counts)
	}
}

func TestLogThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if _, err := Open(path); err == nil {
		t.Error("a log that is not there was opened")
	}
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Until(ended, func(Event) bool { return true }); err == nil {
		t.Error("a mark that does not come was found")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := log.next(); err == nil || !strings.Contains(err.Error(), "shrunk") {
		t.Errorf("a rotated log gave %v", err)
	}
	if _, err := parse([]byte("{")); err == nil {
		t.Error("half an event was parsed")
	}
}
