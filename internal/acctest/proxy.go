package acctest

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Intercept puts a proxy between the sandbox's provider and the API server. It calls a
// function before it passes on each request, so that a test can act between two
// requests of the provider. Only a provider whose configuration is made afterwards
// goes through it.
func (s *Sandbox) Intercept(t *testing.T, before func(*http.Request)) {
	t.Helper()
	s.proxy(t, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		before(r)
		pass.ServeHTTP(w, r)
	})
}

// proxy puts a handler between the sandbox's provider and the API server.
func (s *Sandbox) proxy(t *testing.T, handle func(http.ResponseWriter, *http.Request, http.Handler)) (cut func()) {
	t.Helper()
	target, err := url.Parse(s.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	tls := s.config.TLSClientConfig
	tls.CertFile, tls.KeyFile, tls.CertData, tls.KeyData = "", "", nil, nil
	transport, err := rest.TransportFor(&rest.Config{Host: s.config.Host, TLSClientConfig: tls})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
	}
	// A token goes over TLS only.
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(w, r, proxy)
	}))
	t.Cleanup(server.CloseClientConnections)
	kubeconfig, err := clientcmd.LoadFromFile(s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cluster := kubeconfig.Clusters["test"]
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	cluster.Server, cluster.CertificateAuthorityData, cluster.TLSServerName = server.URL, ca, ""
	s.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, s.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return server.CloseClientConnections
}
