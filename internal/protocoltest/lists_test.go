package protocoltest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mira-cluster/terraform-provider-mira/internal/acctest"
	"github.com/mira-cluster/terraform-provider-mira/internal/protocoltest"
)

// namesOf returns the display names of a list.
func namesOf(listed []protocoltest.Listed) []string {
	var names []string
	for _, one := range listed {
		names = append(names, one.DisplayName)
	}
	return names
}

// A list has the clients of the Django controller, half-made ones, and those that a mira_client
// manages. What it says of each is what an import of it says.
func TestCore_list(t *testing.T) {
	t.Parallel()
	r := newServing(t, nil)
	s := r.s
	sample := acctest.SampleTemplate(t)
	for i := range 12 {
		s.DjangoSave(t, sample, fmt.Sprintf("client-%02d", i), fmt.Sprintf("admin-%d@mira.example", i))
	}
	s.Delete(t, "StatefulSet", "mira-client-03")
	s.WaitReady(t)

	listed, general, err := r.List(t.Context(), protocoltest.Query{})
	if err != nil || len(general) > 0 {
		t.Fatalf("the list failed: %v, %v", err, general)
	}
	want := []string{"acme"}
	for i := range 12 {
		want = append(want, fmt.Sprintf("client-%02d (no mira_client manages it)", i))
	}
	if diff := cmp.Diff(want, namesOf(listed)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"namespace": s.Namespace, "name": "client-00"}, listed[1].Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if listed[0].Resource != nil {
		t.Errorf("resources were not asked for: %v", listed[0].Resource)
	}

	unmanaged, general, err := r.List(t.Context(), protocoltest.Query{
		Config: map[string]any{"managed": false}, IncludeResource: true, Limit: 11,
	})
	if err != nil {
		t.Fatal(err)
	}
	wantWords(t, strings.Join(general, "\n"), "Not All Clients Are Listed", "12 clients were found, and the first 11 of them are listed")
	if len(unmanaged) != 11 || unmanaged[0].Resource["name"] != "client-00" {
		t.Fatalf("not the first 11 without a mira_client: %v", namesOf(unmanaged))
	}
	imported := newCore(s, nil)
	if err := imported.Import(t.Context(), s.Namespace+"/client-07"); err != nil {
		t.Fatal(err)
	}
	for attribute, value := range map[string]any{
		"admin_email": "admin-7@mira.example", "namespace": s.Namespace, "id": s.Namespace + "/client-07", "delete_data": false,
		"url": "https://client-07." + acctest.Domain,
	} {
		if unmanaged[7].Resource[attribute] != value {
			t.Errorf("%s is %v, not %v", attribute, unmanaged[7].Resource[attribute], value)
		}
	}
	if managed, _, err := r.List(t.Context(), protocoltest.Query{Config: map[string]any{"managed": true}}); err != nil || len(managed) != 1 {
		t.Errorf("the managed ones: %v, %v", namesOf(managed), err)
	}
	none, _, err := r.List(t.Context(), protocoltest.Query{Config: map[string]any{"namespace": "mira-test-absent"}})
	if err == nil && len(none) > 0 {
		t.Errorf("clients in a namespace that is not there: %v", namesOf(none))
	}
	if _, _, err := r.List(t.Context(), protocoltest.Query{Config: map[string]any{"namespace": "No!"}}); err == nil ||
		!strings.Contains(err.Error(), "namespace") {
		t.Errorf("an invalid namespace is answered by %v", err)
	}
}
