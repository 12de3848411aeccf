package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The tests of this package run real processes under a real supervisor, but the
// components are this test binary under other names. What they do wrong is part
// of the name.
const (
	crashes    = "crashes"    // says so and ends with exit status 3
	hangs      = "hangs"      // never answers
	losesAPort = "losesaport" // finds its port taken the first time
)

func TestMain(m *testing.M) {
	name, flaw, _ := strings.Cut(filepath.Base(os.Args[0]), "_")
	switch {
	case name == "etcd" || name == "kwok" || strings.HasPrefix(name, "kube-"):
		if err := fakeComponent(name, flaw, os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case len(os.Args) > 1 && os.Args[1] == "supervise":
		//nolint:forbidigo // this is a main function
		if err := Supervise(context.Background(), os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
	case len(os.Args) > 1 && os.Args[1] == "start":
		fakeStarter(os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
}

// fakeStarter starts a cluster, says so, and waits to be killed.
func fakeStarter(store, binaries string) {
	cluster, err := NewStore(store).Cluster("orphan")
	if err != nil {
		log.Fatal(err)
	}
	options, err := fakeOptions(binaries)
	if err != nil {
		log.Fatal(err)
	}
	//nolint:forbidigo // this is a main function
	if _, err := cluster.Start(context.Background(), options); err != nil {
		log.Fatal(err)
	}
	fmt.Println("started")
	waitForever()
}

func waitForever() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
}

// fakeOptions starts the programs in the folder binaries.
func fakeOptions(binaries string) (StartOptions, error) {
	self, err := os.Executable()
	if err != nil {
		return StartOptions{}, err
	}
	options := StartOptions{
		Supervisor: []string{self, "supervise"},
		Binaries:   map[string]string{},
		Version:    "v1.2.3",
		Stages:     []string{"testdata/stages"},
	}
	entries, err := os.ReadDir(binaries)
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "_")
		options.Binaries[name] = filepath.Join(binaries, entry.Name())
	}
	return options, err
}

// fakeBinaries makes a folder of programs that work, but for the flaws given by
// program.
func fakeBinaries(t *testing.T, flaws map[string]string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"} {
		file := name
		if flaw := flaws[name]; flaw != "" {
			file += "_" + flaw
		}
		if err := os.Symlink(self, filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fakeComponent answers like the component, as far as a start asks.
func fakeComponent(name, flaw string, args []string) error {
	flags := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		flags[key] = value
	}
	switch flaw {
	case crashes:
		fmt.Println("boom: I cannot go on")
		os.Exit(3)
	case hangs:
		waitForever()
	case losesAPort:
		// The folder is the cluster's, so the mark outlives an attempt.
		mark, err := os.OpenFile("lost", os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_ = mark.Close()
			return fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)})
		}
	}

	config := &tls.Config{}
	certificate, key := flags["tls-cert-file"], flags["tls-private-key-file"]
	address := loopback + ":" + flags["secure-port"]
	switch name {
	case "kwok":
		address = flags["server-address"]
	case "etcd":
		certificate, key = flags["cert-file"], flags["key-file"]
		listen, err := url.Parse(flags["listen-client-urls"])
		if err != nil {
			return err
		}
		address = listen.Host
		if err := demandCertificate(config, flags["trusted-ca-file"]); err != nil {
			return err
		}
	case "kube-apiserver":
		if err := demandCertificate(config, flags["client-ca-file"]); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(fakeAnswer), TLSConfig: config}
	return server.ServeTLS(listener, certificate, key)
}

func demandCertificate(config *tls.Config, file string) error {
	ca, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(ca) {
		return errors.New("no authority in " + file)
	}
	return nil
}

func fakeAnswer(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/serviceaccounts/absent/token"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"kind":"Status","message":"serviceaccounts \"absent\" not found"}`)
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/token"):
		_, _ = fmt.Fprint(w, `{"status":{"token":"a-token"}}`)
	case r.URL.Path == nodePath:
		_, _ = fmt.Fprint(w, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)
	default:
		_, _ = fmt.Fprint(w, `{}`)
	}
}
