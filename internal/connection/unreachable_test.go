package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

func TestConnectionReachesTheServer(t *testing.T) {
	ca := newAuthority(t)
	certificate, key := ca.issue(t, leaf{client: "jane"})
	yes := true
	asJane := func(r *http.Request) bool {
		return len(r.TLS.PeerCertificates) == 1 && r.TLS.PeerCertificates[0].Subject.CommonName == "jane"
	}
	tests := map[string]struct {
		settings connection.Settings
		server   leaf
		admit    func(*http.Request) bool
	}{
		"with its certificate authority": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem)},
			admit:    func(r *http.Request) bool { return r.UserAgent() == "test/1.0" },
		},
		"without verification": {
			settings: connection.Settings{Insecure: &yes},
			admit:    anybody,
		},
		"under another name": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem), TLSServerName: "kubernetes.default.svc"},
			server:   leaf{host: "kubernetes.default.svc"},
			admit:    anybody,
		},
		"with a token": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem), Token: "sesame"},
			admit:    withToken("sesame"),
		},
		"with a client certificate": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem), ClientCertificate: string(certificate), ClientKey: string(key)},
			admit:    asJane,
		},
		"with a user name and a password": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem), Username: "jane", Password: "sesame"},
			admit: func(r *http.Request) bool {
				user, password, ok := r.BasicAuth()
				return ok && user == "jane" && password == "sesame"
			},
		},
		"with a credential plugin of v1": {
			settings: connection.Settings{ClusterCACertificate: string(ca.pem), Exec: plugin("client.authentication.k8s.io/v1", "sesame-v1")},
			admit:    withToken("sesame-v1"),
		},
		"with a credential plugin of v1beta1": {
			settings: connection.Settings{
				ClusterCACertificate: string(ca.pem), Exec: plugin("client.authentication.k8s.io/v1beta1", "sesame-v1beta1"),
			},
			admit: withToken("sesame-v1beta1"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.settings.Host = ca.serve(t, test.server, test.admit).URL
			conn, err := connection.Connect(test.settings, connection.Environment{}, "test/1.0")
			if err != nil {
				t.Fatal(err)
			}
			if err := read(t, conn, "templates-yaml"); err != nil {
				t.Error(conn.Explain(err))
			}
		})
	}
}

// proxy answers CONNECT by tunnelling to wherever it is asked to, or by status.
func proxy(t *testing.T, status int) (server *httptest.Server, tunnels *atomic.Int32) {
	t.Helper()
	tunnels = new(atomic.Int32)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		upstream, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		tunnels.Add(1)
		if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return
		}
		// Either side may end the tunnel at any time.
		go func() { _, _ = io.Copy(upstream, client) }()
		_, _ = io.Copy(client, upstream)
	}))
	t.Cleanup(server.Close)
	return server, tunnels
}

func TestConnectionGoesThroughTheProxy(t *testing.T) {
	ca := newAuthority(t)
	through, tunnels := proxy(t, http.StatusOK)
	conn, err := connection.Connect(connection.Settings{
		Host:                 ca.serve(t, leaf{}, anybody).URL,
		ClusterCACertificate: string(ca.pem),
		ProxyURL:             through.URL,
	}, connection.Environment{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := read(t, conn, "templates-yaml"); err != nil {
		t.Fatal(err)
	}
	if tunnels.Load() != 1 {
		t.Errorf("%d tunnels through the proxy, want 1", tunnels.Load())
	}
}

// closedPort returns an address of loopback that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestExplainSaysWhyTheServerCannotBeReached(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	certificate, key := other.issue(t, leaf{client: "jane"})
	refused := closedPort(t)
	refusing, _ := proxy(t, http.StatusForbidden)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	trusted := func(host string) connection.Settings {
		return connection.Settings{Host: host, ClusterCACertificate: string(ca.pem)}
	}
	with := func(s connection.Settings, change func(*connection.Settings)) connection.Settings {
		change(&s)
		return s
	}
	v1 := "client.authentication.k8s.io/v1"

	tests := map[string]struct {
		settings connection.Settings
		says     []string
	}{
		"a port where nothing listens": {
			settings: trusted("https://" + refused),
			says:     []string{"cannot reach", "connection refused", "check that the cluster is running"},
		},
		"a certificate of another authority": {
			settings: trusted(other.serve(t, leaf{}, anybody).URL),
			says:     []string{"cannot reach", "unknown authority", "cluster_ca_certificate"},
		},
		"an expired certificate": {
			settings: trusted(ca.serve(t, leaf{expired: true}, anybody).URL),
			says:     []string{"cannot reach", "expired", "renew"},
		},
		"a certificate for another name": {
			settings: trusted(ca.serve(t, leaf{host: "kubernetes.default.svc"}, anybody).URL),
			says:     []string{"cannot reach", "127.0.0.1", "tls_server_name"},
		},
		"a server that speaks plain HTTP": {
			settings: trusted(strings.Replace(plain.URL, "http://", "https://", 1)),
			says:     []string{"cannot reach", "HTTP response to HTTPS client", "http or https"},
		},
		"a client certificate that the server does not trust": {
			settings: with(trusted(ca.serve(t, leaf{}, anybody).URL), func(s *connection.Settings) {
				s.ClientCertificate, s.ClientKey = string(certificate), string(key)
			}),
			says: []string{"cannot reach", "tls:", "check the client certificate"},
		},
		"a token that the server does not know": {
			settings: with(trusted(ca.serve(t, leaf{}, withToken("sesame")).URL), func(s *connection.Settings) { s.Token = "hunter2" }),
			says:     []string{"does not accept the credentials", "Unauthorized", "expired"},
		},
		"a credential plugin whose token the server does not know": {
			settings: with(trusted(ca.serve(t, leaf{}, withToken("sesame")).URL), func(s *connection.Settings) { s.Exec = plugin(v1, "hunter2") }),
			says:     []string{"does not accept the credentials", "Unauthorized", "credential plugin sh"},
		},
		"a credential plugin that fails": {
			settings: with(trusted(ca.serve(t, leaf{}, anybody).URL), func(s *connection.Settings) {
				s.Exec = &connection.ExecSettings{APIVersion: v1, Command: "sh", Args: []string{"-c", "exit 3", "hunter2"}}
			}),
			says: []string{"there are no credentials", "exit code 3", "run sh by hand", "TF_LOG"},
		},
		"a credential plugin that is not installed": {
			settings: with(trusted(ca.serve(t, leaf{}, anybody).URL), func(s *connection.Settings) {
				s.Exec = &connection.ExecSettings{APIVersion: v1, Command: "mira-plugin-that-is-not-there"}
			}),
			says: []string{"there are no credentials", "mira-plugin-that-is-not-there not found"},
		},
		"a credential plugin that prints something else": {
			settings: with(trusted(ca.serve(t, leaf{}, anybody).URL), func(s *connection.Settings) {
				s.Exec = &connection.ExecSettings{APIVersion: v1, Command: "sh", Args: []string{"-c", "echo hunter2"}}
			}),
			says: []string{"there are no credentials", "decoding stdout"},
		},
		"a connection refused beside a credential plugin that works": {
			settings: with(trusted("https://"+refused), func(s *connection.Settings) { s.Exec = plugin(v1, "sesame") }),
			says:     []string{"cannot reach", "connection refused"},
		},
		"a proxy where nothing listens": {
			settings: with(trusted("https://10.0.0.1:6443"), func(s *connection.Settings) { s.ProxyURL = "http://jane:hunter2@" + refused }),
			says:     []string{"cannot reach", "connection refused", "proxy_url"},
		},
		"a proxy that says no": {
			settings: with(trusted("https://10.0.0.1:6443"), func(s *connection.Settings) { s.ProxyURL = refusing.URL }),
			says:     []string{"cannot reach", "Forbidden", "the proxy"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := connection.Connect(test.settings, connection.Environment{}, "test")
			if err != nil {
				t.Fatal(err)
			}
			cause := read(t, conn, "templates-yaml")
			if cause == nil {
				t.Fatal("the server was reached")
			}
			err = conn.Explain(cause)
			if _, ok := errors.AsType[*connection.UnreachableError](err); !ok {
				t.Fatalf("got %T: %v, want an UnreachableError", err, err)
			}
			if !errors.Is(err, cause) {
				t.Errorf("%v does not wrap its cause", err)
			}
			for _, part := range append(test.says, conn.Address(), "attribute kubernetes.host") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q:\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error reveals a secret:\n%v", err)
			}
			if again := conn.Explain(fmt.Errorf("reading: %w", err)); again.Error() != "reading: "+err.Error() {
				t.Errorf("explained twice:\n%v", again)
			}
		})
	}
}

// A server that accepts the connection and then says nothing is given up after
// client-go's bound for the handshake, not after the caller's.
func TestExplainSaysWhenNothingAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := connection.Connect(connection.Settings{Host: "https://10.0.0.1:6443"}, connection.Environment{}, "test")
		if err != nil {
			t.Fatal(err)
		}
		// The clock of the bubble runs ahead only past what never leaves it, so
		// that a pipe stands in for the network.
		conn.Config.Dial = func(context.Context, string, string) (net.Conn, error) {
			client, _ := net.Pipe()
			return client, nil
		}
		start := time.Now()
		err = conn.Explain(read(t, conn, "templates-yaml"))
		var unreachable *connection.UnreachableError
		if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "nothing answered in time") {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestExplainOfErrorsThatTestsCannotProvoke(t *testing.T) {
	conn := &connection.Connection{Config: &rest.Config{Host: "https://k8s.example.com"}, Source: "environment variable KUBE_HOST"}
	wrap := func(err error) error { return &url.Error{Op: "Get", URL: "https://k8s.example.com/api", Err: err} }
	noSuchHost := &net.DNSError{Err: "no such host", Name: "k8s.example.com", IsNotFound: true}
	tests := map[string]struct {
		err  error
		says string
	}{
		"the name is not known":         {wrap(&net.OpError{Op: "dial", Err: noSuchHost}), "check the host name"},
		"the address swallows packets":  {wrap(&net.OpError{Op: "dial", Err: timeout{}}), "nothing answered in time"},
		"the connection was reset":      {wrap(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), "lost on the way"},
		"the connection was closed":     {wrap(io.EOF), "lost on the way"},
		"there is no way to the server": {wrap(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}), "check the address, the network"},
		"an answer ended half way":      {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "lost on the way"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := conn.Explain(test.err)
			if _, ok := errors.AsType[*connection.UnreachableError](err); !ok {
				t.Fatalf("got %T: %v", err, err)
			}
			const from = "https://k8s.example.com (from environment variable KUBE_HOST)"
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), from) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// timeout is what the net package returns when a dial runs out of time.
type timeout struct{}

func (timeout) Error() string        { return "i/o timeout" }
func (timeout) Timeout() bool        { return true }
func (timeout) Temporary() bool      { return true }
func (timeout) Is(target error) bool { return target == context.DeadlineExceeded }

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	ca := newAuthority(t)
	conn, err := connection.Connect(connection.Settings{
		Host: ca.serve(t, leaf{}, anybody).URL, ClusterCACertificate: string(ca.pem),
	}, connection.Environment{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	gone := read(t, conn, "another")
	if !apierrors.IsNotFound(gone) {
		t.Fatalf("got %v, want a 404", gone)
	}
	for name, err := range map[string]error{
		"no error":                     nil,
		"an answer about an object":    gone,
		"a right that is missing":      apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "x", errors.New("no")),
		"an overloaded server":         apierrors.NewTooManyRequests("slow down", 1),
		"a cancelled request":          &url.Error{Op: "Get", URL: "https://k8s", Err: context.Canceled},
		"a cancelled dial":             &url.Error{Op: "Get", URL: "https://k8s", Err: &net.OpError{Op: "dial", Err: context.Canceled}},
		"the caller's deadline":        &url.Error{Op: "Get", URL: "https://k8s", Err: context.DeadlineExceeded},
		"an address that is no URL":    &url.Error{Op: "parse", URL: "https://[", Err: errors.New("missing ']' in host")},
		"something else altogether":    errors.New("template: line 3"),
		"the deadline of a rate limit": fmt.Errorf("client rate limiter Wait returned an error: %w", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			if got := conn.Explain(err); got != err { //nolint:errorlint // the very same value
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAddressKeepsSecretsOut(t *testing.T) {
	for host, want := range map[string]string{
		"https://jane:hunter2@k8s.example.com:6443": "https://k8s.example.com:6443",
		"10.0.0.1:8080":             "http://10.0.0.1:8080", // as client-go takes it in a kubeconfig
		"https://jane:%zz@10.0.0.1": "10.0.0.1",
	} {
		conn := &connection.Connection{Config: &rest.Config{Host: host}}
		if got := conn.Address(); got != want {
			t.Errorf("address of %q: %q, want %q", host, got, want)
		}
	}
}
