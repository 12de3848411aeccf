package provider

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/mira-cluster/terraform-provider-mira/internal/mira"
	"github.com/mira-cluster/terraform-provider-mira/internal/rollout"
	"github.com/mira-cluster/terraform-provider-mira/internal/template"
)

// What concerns every client is told in full once, and in one line for the others.
func TestAddErrors_oneCause(t *testing.T) {
	r := &clientResource{provider: &configured{}}
	tab := &mira.TemplateError{
		Source: mira.TemplateSource{Namespace: "controller", ConfigMap: "t", Key: "k"}, Err: &template.Error{Line: 7, Reason: "a tab"},
	}
	var diags diag.Diagnostics
	for _, name := range []string{"acme", "beta", "acme"} { // the last once more: it is planned twice
		addErrors(&diags, r.subject(name), tab)
	}
	addErrors(&diags, r.subject("beta"), &mira.RevisionError{Source: tab.Source, Pinned: "1", Found: "2"})
	closed := &rollout.GateClosedError{Failed: []rollout.FailedClient{{Name: "delta", Reason: "ImagePullBackOff"}}}
	for _, name := range []string{"acme", "beta"} {
		addErrors(&diags, r.subject(name), closed)
	}
	var got []string
	for _, d := range diags {
		got = append(got, d.Summary()+": "+d.Detail())
	}
	const full = "Invalid Client Template: Client \"acme\" cannot be rendered from ConfigMap controller/t, key k:\n\nline 7: a tab"
	want := []string{
		full,
		`Invalid Client Template: Client "beta": ConfigMap controller/t, key k: line 7: a tab. The error of client "acme" has the details.`,
		`Template Has Another Revision: Client "beta": ConfigMap controller/t, key k has revision 2, and the client is pinned to 1. ` +
			"Nothing was changed. Set the revision to the one found, or restore the template.",
		"Rollout Not Begun: Client \"acme\": no more rollouts are started in this run, because the rollout of client \"delta\" failed: " +
			"ImagePullBackOff.\n\nThis client is untouched, and serves what it served before. Correct the template and apply again.",
		`Rollout Not Begun: Client "beta": no more rollouts are started in this run, because the rollout of client "delta" failed: ` +
			"ImagePullBackOff. This client is untouched.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
