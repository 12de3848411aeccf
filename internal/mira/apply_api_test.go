package mira_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/kube"
	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
)

// An apply tries every object before it writes the first: when the third one is
// refused, the first two are not written, not even for a moment. The CLI plans
// again right before an apply, so that only here nothing else finds it first.
func TestFleetAPI_rejectedThirdObject(t *testing.T) {
	t.Parallel()
	s := acctest.NewSandbox(t)
	sample := acctest.SampleTemplate(t)
	fleet := func(template string) process {
		s.PutTemplate(t, template)
		return newProcess(t, s)
	}
	spec := func(name string) mira.Spec { return specOf(s, name) }
	created, err := fleet(sample).Create(t.Context(), spec("acme"), mira.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}

	s.Admission.Deny(t, "statefulsets", "true", acctest.StatefulSetProbe())
	before, writes := s.Snapshot(t), s.FollowServices(t)
	changes := strings.NewReplacer("type: ClusterIP\n", "type: ClusterIP\n  sessionAffinity: ClientIP\n", "mira:3.0", "mira:3.1")
	changed := fleet(changes.Replace(sample))
	for _, test := range []struct {
		name  string
		apply func() (*mira.Outcome, error)
	}{
		{"update", func() (*mira.Outcome, error) {
			return changed.Update(t.Context(), spec("acme"), &created.State, mira.ApplyOptions{})
		}},
		{"create", func() (*mira.Outcome, error) {
			return changed.Create(t.Context(), spec("globex"), mira.ApplyOptions{})
		}},
	} {
		outcome, err := test.apply()
		var denied *kube.DeniedError
		var partial *mira.PartialWriteError
		if !errors.As(err, &denied) || errors.As(err, &partial) || outcome != nil {
			t.Errorf("%s: outcome %v, error %v; want a refusal before anything is written", test.name, outcome, err)
		}
	}
	if diff := cmp.Diff(before, s.Snapshot(t)); diff != "" {
		t.Errorf("objects were written to (-before +after):\n%s", diff)
	}
	if events := writes(); len(events) > 0 {
		t.Errorf("Services were written: %v", events)
	}
}
