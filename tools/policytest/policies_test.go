// Package policytest runs the policies in examples/policies by OPA. It is a module of its own, so that the provider does
// not depend on OPA.
package policytest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// policies are those in examples/policies, ready to judge plans.
type policies struct {
	modules []func(*rego.Rego)
	data    map[string]any
}

func load(t *testing.T) policies {
	t.Helper()
	folder := filepath.Join("..", "..", "examples", "policies")
	files, err := filepath.Glob(filepath.Join(folder, "*.rego"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies in %s: %v", folder, err)
	}
	var p policies
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.modules = append(p.modules, rego.Module(filepath.Base(file), string(text)))
	}
	p.data = readJSON(t, filepath.Join(folder, "policies.json"))
	return p
}

func readJSON(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return document
}

// judge returns what the policies refuse of a plan, sorted.
func (p policies) judge(t *testing.T, plan any) []string {
	t.Helper()
	options := slices.Concat(p.modules, []func(*rego.Rego){
		rego.Query("data.mira.deny"), rego.Input(plan), rego.Store(inmem.NewFromObject(p.data)),
		rego.Strict(true), rego.StrictBuiltinErrors(true),
	})
	results, err := rego.New(options...).Eval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	var refused []string
	for _, message := range results[0].Expressions[0].Value.([]any) {
		refused = append(refused, message.(string))
	}
	slices.Sort(refused)
	return refused
}

const (
	statefulSet = "StatefulSet/mira-acme"
	image       = "spec.template.spec.containers[mira].image"
	dataDeleted = "default/acme: its data would be deleted (PersistentVolumeClaim mira-data-mira-acme-0): approve it in delete_data_of"
	policyField = "spec.persistentVolumeClaimRetentionPolicy.whenDeleted"
)

type object = map[string]any

// client returns the values of the client acme with the fields of its StatefulSet.
func client(fields, further object) object {
	values := object{
		"name": "acme", "namespace": "default", "delete_data": false, "persistent_volume_claims": []any{"mira-data-mira-acme-0"},
		"objects": object{statefulSet: fields, "Service/mira-acme": object{"spec.type": "ClusterIP"}},
	}
	maps.Copy(values, further)
	return values
}

// plan returns a plan with one change of acme, and resources that are none of the policies' business.
func plan(before, after any, actions ...any) object {
	change := func(kind, mode string) object {
		return object{
			"address": kind + ".acme", "mode": mode, "type": kind,
			"change": object{"actions": actions, "before": before, "after": after, "after_unknown": object{}},
		}
	}
	return object{"format_version": "1.2", "resource_changes": []any{
		change("mira_client", "managed"), change("mira_client", "data"), change("other_thing", "managed"),
	}}
}

func TestPolicies(t *testing.T) {
	good := object{image: "registry.example/mira/mira:3.1", "spec.replicas": "2"}
	old := object{image: "registry.example/mira/mira:3.0", "spec.replicas": "2"}
	with := func(path string, value any) object {
		fields := object{}
		maps.Copy(fields, good)
		if value == nil {
			delete(fields, path)
		} else {
			fields[path] = value
		}
		return fields
	}
	unsafe := object{"delete_data": true}
	unknown := plan(client(old, nil), client(nil, object{"objects": nil}), "update")
	unknown["resource_changes"].([]any)[0].(object)["change"].(object)["after_unknown"] = object{"objects": true}
	tests := map[string]struct {
		plan     any
		approved []any
		want     []string
	}{
		"a new version":            {plan: plan(client(old, nil), client(good, nil), "update")},
		"a new client":             {plan: plan(nil, client(good, nil), "create")},
		"nothing":                  {plan: object{"format_version": "1.2", "resource_changes": []any{}}},
		"more replicas":            {plan: plan(client(old, nil), client(with("spec.replicas", "3"), nil), "update")},
		"a client whose data stay": {plan: plan(client(old, nil), nil, "delete")},
		"nothing of ours changes":  {plan: plan(client(with(image, "mira:1"), nil), client(with(image, "mira:1"), nil), "no-op")},
		"another registry": {
			plan: plan(client(old, nil), client(with(image, "docker.io/mira:3.1"), nil), "update"),
			want: []string{`default/acme: StatefulSet/mira-acme has the image "docker.io/mira:3.1", which is of none of the registries ` +
				"registry.example/mira, registry.example/caddy"},
		},
		"a registry whose name begins alike": {
			plan: plan(nil, client(with(image, "registry.example/mirage/x:1"), nil), "create"),
			want: []string{`default/acme: StatefulSet/mira-acme has the image "registry.example/mirage/x:1", which is of none of the ` +
				"registries registry.example/mira, registry.example/caddy"},
		},
		"images that are not known": {
			plan: unknown, want: []string{"default/acme: its images are known only after the apply"},
		},
		"fewer replicas": {
			plan: plan(client(good, nil), client(with("spec.replicas", "0"), nil), "update"),
			want: []string{"default/acme: StatefulSet/mira-acme goes from 2 to 0 replicas"},
		},
		"ten to nine": { // as texts, 10 is less than 9
			plan: plan(client(with("spec.replicas", "10"), nil), client(with("spec.replicas", "9"), nil), "update"),
			want: []string{"default/acme: StatefulSet/mira-acme goes from 10 to 9 replicas"},
		},
		"replicas that are dropped": {
			plan: plan(client(good, nil), client(with("spec.replicas", nil), nil), "update"),
			want: []string{"default/acme: StatefulSet/mira-acme goes from 2 to 1 replicas"},
		},
		"a StatefulSet that is removed": {
			plan: plan(client(good, nil), client(nil, object{"objects": object{}}), "update"),
			want: []string{"default/acme: StatefulSet/mira-acme is removed"},
		},
		"data that is deleted": {
			plan: plan(client(good, unsafe), nil, "delete"),
			want: []string{dataDeleted},
		},
		"data that is deleted by a replacement": {
			plan:     plan(client(good, unsafe), client(good, object{"namespace": "other"}), "delete", "create"),
			approved: []any{"other/acme"},
			want:     []string{dataDeleted},
		},
		"data that is deleted with an approval": {
			plan: plan(client(good, unsafe), nil, "delete"), approved: []any{"default/globex", "default/acme"},
		},
		"claims that Kubernetes deletes": {
			plan: plan(client(good, unsafe), client(with(policyField, "Delete"), unsafe), "update"),
			want: []string{"default/acme: StatefulSet/mira-acme has Kubernetes delete claims (" + policyField + "): approve it in delete_data_of"},
		},
		"no plan": {
			plan: object{"format_version": "1.0", "values": object{}},
			want: []string{"the input is no plan: pass on what `terraform show -json PLANFILE` prints"},
		},
	}
	p := load(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := p
			p.data = object{"registries": p.data["registries"], "delete_data_of": []any{}}
			if test.approved != nil {
				p.data["delete_data_of"] = test.approved
			}
			if got := p.judge(t, test.plan); !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// The command of the README judges a plan of Terraform's, with the data beside the policies.
func TestCommandOfTheReadme(t *testing.T) {
	results, err := rego.New(
		rego.Query("data.mira.deny[message]"),
		rego.Load([]string{filepath.Join("..", "..", "examples", "policies")}, nil),
		rego.Input(readJSON(t, filepath.Join("..", "plansummary", "testdata", "plan.json"))),
	).Eval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, result := range results {
		refused = append(refused, result.Bindings["message"].(string))
	}
	for _, want := range []string{
		"default/hooli: its data would be deleted (PersistentVolumeClaim mira-data-mira-hooli-0): approve it in delete_data_of",
		"default/initech: StatefulSet/mira-initech goes from 2 to 1 replicas",
		`default/wonka: StatefulSet/mira-wonka has the image "mira:3.1", which is of none of the registries registry.example/mira, ` +
			"registry.example/caddy",
	} {
		if !slices.Contains(refused, want) {
			t.Errorf("not refused: %s\nbut\n%s", want, strings.Join(refused, "\n"))
		}
	}
	const images = 8 * 2 // of all clients but those that are destroyed, each of which has two containers
	if len(refused) != images+2 {
		t.Errorf("%d messages, want %d:\n%s", len(refused), images+2, strings.Join(refused, "\n"))
	}
}
