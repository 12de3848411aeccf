package connection_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
)

// authority is a certificate authority for tests.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// leaf says what an issued certificate is for.
type leaf struct {
	client  string // a client certificate of this user
	host    string // a server certificate for this name; else for 127.0.0.1
	expired bool
}

func (a *authority) issue(t *testing.T, l leaf) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: l.client},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if l.expired {
		template.NotAfter = time.Now().Add(-time.Hour)
	}
	switch {
	case l.host != "":
		template.DNSNames = []string{l.host}
	case l.client == "":
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// serve starts an API server over TLS that knows one ConfigMap, and answers 401
// to requests that admit refuses.
func (a *authority) serve(t *testing.T, l leaf, admit func(*http.Request) bool) *httptest.Server {
	t.Helper()
	certificate, key := a.issue(t, l)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !admit(r):
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
		case r.URL.Path == "/api/v1/namespaces/controller/configmaps/templates-yaml":
			io.WriteString(w, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"templates-yaml","namespace":"controller"}}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not found","reason":"NotFound","code":404}`)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func anybody(*http.Request) bool { return true }

func withToken(token string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+token }
}

// read gets a ConfigMap over the connection.
func read(t *testing.T, conn *connection.Connection, name string) error {
	t.Helper()
	return readIn(t, conn, "controller", name)
}

func readIn(t *testing.T, conn *connection.Connection, namespace, name string) error {
	t.Helper()
	httpClient, err := rest.HTTPClientFor(conn.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(httpClient.CloseIdleConnections)
	client, err := dynamic.NewForConfigAndClient(conn.Config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	_, err = client.Resource(configMaps).Namespace(namespace).Get(t.Context(), name, metav1.GetOptions{})
	return err
}

// plugin is a credential plugin that prints a token when it is told of the
// cluster and has no terminal.
func plugin(version, token string) *connection.ExecSettings {
	return &connection.ExecSettings{
		APIVersion: version,
		Command:    "sh",
		Args: []string{"-c", `case "$KUBERNETES_EXEC_INFO" in
*'"server":"https://'*'"interactive":false'*) ;;
*) echo "not told: $KUBERNETES_EXEC_INFO" >&2; exit 1;;
esac
printf '{"apiVersion":"%s","kind":"ExecCredential","status":{"token":"%s"}}' "$0" "$TOKEN"`, version},
		Env: map[string]string{"TOKEN": token},
	}
}
