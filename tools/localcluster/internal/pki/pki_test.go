package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	authority, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

// verify checks the pair's certificate against the authority's and returns it.
func verify(t *testing.T, authority *Authority, pair Pair, host string, usage x509.ExtKeyUsage) (*x509.Certificate, error) {
	t.Helper()
	keyPair, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatalf("certificate and key do not match: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Certificate()) {
		t.Fatal("the authority has no certificate")
	}
	_, err = keyPair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}})
	return keyPair.Leaf, err
}

func TestServerCertificateIsGoodForItsHostsAlone(t *testing.T) {
	authority := newAuthority(t)
	pair, err := authority.Server("server", "localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, err := verify(t, authority, pair, host, x509.ExtKeyUsageServerAuth); err != nil {
			t.Errorf("for %s: %v", host, err)
		}
	}
	for _, host := range []string{"example.com", "127.0.0.2"} {
		if _, err := verify(t, authority, pair, host, x509.ExtKeyUsageServerAuth); err == nil {
			t.Errorf("it is good for %s as well", host)
		}
	}
	if _, err := verify(t, newAuthority(t), pair, "localhost", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("another authority of the same name vouches for it")
	}
}

func TestClientCertificateCarriesUserAndGroups(t *testing.T) {
	authority := newAuthority(t)
	pair, err := authority.Client("alice", "system:masters", "staff")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := verify(t, authority, pair, "", x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	groups := slices.Sorted(slices.Values(certificate.Subject.Organization))
	if certificate.Subject.CommonName != "alice" || !slices.Equal(groups, []string{"staff", "system:masters"}) {
		t.Errorf("subject = %s", certificate.Subject)
	}
	if _, err := verify(t, authority, pair, "", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("it is good for a server as well")
	}
}

func TestTokenKeysBelongTogether(t *testing.T) {
	private, public, err := NewTokenKeys()
	if err != nil {
		t.Fatal(err)
	}
	privateBlock, _ := pem.Decode(private)
	publicBlock, _ := pem.Decode(public)
	key, err := x509.ParseECPrivateKey(privateBlock.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := x509.ParsePKIXPublicKey(publicBlock.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a token"))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(verifier.(*ecdsa.PublicKey), digest[:], signature) {
		t.Error("the public key does not verify what the private one signed")
	}
}

func TestPairIsWrittenForItsOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	if err := (Pair{Certificate: []byte("c"), Key: []byte("k")}).Write(name); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{name + ".crt": "c", name + ".key": "k"} {
		data, err := os.ReadFile(file)
		if err != nil || string(data) != want {
			t.Errorf("%s = %q, %v", file, data, err)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", file, info.Mode(), err)
		}
	}
}
