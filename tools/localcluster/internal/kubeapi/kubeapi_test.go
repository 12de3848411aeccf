package kubeapi

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/pki"
)

func newServer(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := New(server.URL, Credentials{CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestApplySendsServerSideApply(t *testing.T) {
	var got string
	client := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
	})
	if err := client.Apply(t.Context(), "/api/v1/nodes/n", []byte("kind: Node")); err != nil {
		t.Fatal(err)
	}
	want := "PATCH /api/v1/nodes/n?fieldManager=localcluster&force=true application/apply-patch+yaml kind: Node"
	if got != want {
		t.Errorf("request = %s, want %s", got, want)
	}
}

func TestPostReadsTheAnswer(t *testing.T) {
	client := newServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	var out struct{ A string }
	if err := client.Post(t.Context(), "/x", map[string]string{"A": "b"}, &out); err != nil || out.A != "b" {
		t.Errorf("answer = %+v, %v", out, err)
	}
}

func TestRefusalsAreStatusErrors(t *testing.T) {
	for name, test := range map[string]struct {
		body, want string
	}{
		"with a Status":      {`{"kind":"Status","message":"no rights"}`, "GET /x: 403 Forbidden: no rights"},
		"with anything else": {" oops\n", "GET /x: 403 Forbidden: oops"},
		"with a long text":   {strings.Repeat("x", 900), "GET /x: 403 Forbidden: " + strings.Repeat("x", 500) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, test.body)
			})
			err := client.Check(t.Context(), "/x")
			var status *StatusError
			if !errors.As(err, &status) || status.Code != http.StatusForbidden || err.Error() != test.want {
				t.Errorf("error = %v, want %s", err, test.want)
			}
		})
	}
}

func TestOnlyTheGivenAuthorityIsTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is what we want
	server.StartTLS()
	defer server.Close()
	stranger, err := pki.NewAuthority("stranger")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, stranger.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := New(server.URL, Credentials{CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var unknown x509.UnknownAuthorityError
	if err := client.Check(t.Context(), "/"); !errors.As(err, &unknown) {
		t.Errorf("error = %v, want that the authority is unknown", err)
	}

	if err := os.WriteFile(ca, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(server.URL, Credentials{CA: ca}); err == nil || !strings.Contains(err.Error(), ca) {
		t.Errorf("error for a file without certificates = %v", err)
	}
}
