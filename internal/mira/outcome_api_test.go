package mira_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/connection"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/managedfields"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
)

// Contact with the server is lost while an update is waited for, until its time runs out.
// The release is not known to have failed: it is not rolled back. And nobody follows it.
func TestFleetAPI_lostContact(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	var isWaiting, isOut atomic.Bool
	s.Intercept(t, func(r *http.Request) {
		// The wait lists the pods once the objects are written.
		if isWaiting.Load() && strings.HasSuffix(r.URL.Path, "/pods") {
			isOut.Store(true)
		}
		if isOut.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	connection, err := connection.Connect(connection.Settings{ConfigPath: s.Kubeconfig}, connection.SystemEnvironment(), "test")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(connection, kube.Options{Force: true, Manager: managedfields.NewManager("", mira.ClientLabel)})
	if err != nil {
		t.Fatal(err)
	}
	settings := mira.DefaultRolloutSettings()
	settings.MaxFailures = 100
	settings.Soak = 0
	fleet := func(template string) *mira.Fleet {
		s.PutTemplate(t, template)
		return mira.NewFleet(client, mira.Settings{ClusterDomain: acctest.Domain, AllowedKinds: mira.DefaultAllowedKinds(), Rollout: settings})
	}
	spec := func(name string) mira.Spec {
		return mira.Spec{
			Namespace: s.Namespace, Name: name, AdminEmail: "admin@mira.example",
			Template: mira.TemplateSource{Namespace: s.Namespace, ConfigMap: mira.DefaultTemplateConfigMap, Key: mira.DefaultTemplateKey},
		}
	}
	states := make(map[string]mira.State)
	first := fleet(sample)
	for _, name := range []string{"acme", "globex"} {
		created, err := first.Create(t.Context(), spec(name), mira.ApplyOptions{Wait: true})
		if err != nil {
			t.Fatal(err)
		}
		states[name] = created.State
	}

	isWaiting.Store(true)
	next := fleet(acctest.Edit(t, sample, "mira:3.0", "mira-unready:3.1"))
	update := func(name string) error {
		state := states[name]
		_, err := next.Update(t.Context(), spec(name), &state, mira.ApplyOptions{Wait: true, Timeout: 15 * time.Second})
		return err
	}
	err = update("acme")
	isWaiting.Store(false)
	isOut.Store(false)
	var rolledBack *mira.RolledBackError
	var pending *rollout.PendingError
	if !errors.As(err, &pending) || !pending.ContactLost || errors.As(err, &rolledBack) {
		t.Fatalf("got %v, want a PendingError that says that contact was lost", err)
	}
	if image := acctest.Image(t, s.Get(t, "StatefulSet", "mira-acme")); image != "mira-unready:3.1" {
		t.Errorf("rolled back to %s", image)
	}
	var closed *rollout.GateClosedError
	if err := update("globex"); !errors.As(err, &closed) || len(closed.Unknown) != 1 || closed.Unknown[0].Name != "acme" {
		t.Errorf("got %v, want a closed gate", err)
	}
	if image := acctest.Image(t, s.Get(t, "StatefulSet", "mira-globex")); image != "mira:3.0" {
		t.Errorf("another client was updated to %s", image)
	}
}
