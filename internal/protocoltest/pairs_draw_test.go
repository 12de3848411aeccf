package protocoltest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// pair are two templates of one client.
type pair struct{ a, b template }

func (p pair) clone() pair { return pair{p.a.clone(), p.b.clone()} }

// text returns both templates with their names.
func (p pair) text() string { return fmt.Sprintf("### A\n%s\n### B\n%s", p.a, p.b) }

// ways are those of the features that a template has, by the index of the feature.
type ways map[int]int

// drawPair draws two templates. Each begins with edits of the randomised test and has some
// features; most often they differ in few.
func drawPair(r *rand.Rand) pair {
	first := firstTemplate(r)
	for range pick(r, []int{0, 1, 3, 8}) {
		first.edit(r)
	}
	then := first.clone()
	for range pick(r, []int{0, 0, 1, 2, 5}) {
		then.edit(r)
	}
	density := pick(r, []float64{0.05, 0.15, 0.3})
	has := drawWays(r, density)
	gets := maps.Clone(has)
	if r.IntN(5) == 0 {
		gets = drawWays(r, density)
	} else {
		for range pick(r, []int{1, 3, 6, 12, 25}) {
			redraw(r, gets)
		}
	}
	var further []string
	if r.IntN(4) == 0 {
		further = append(further, worker)
	}
	if r.IntN(12) == 0 {
		further = append(further, database)
	}
	p := pair{a: build(r, first, has, further)}
	if r.IntN(6) == 0 {
		further = nil
	}
	p.b = build(r, then, gets, further)
	keepClaims(p)
	return p
}

// database is a further StatefulSet.
const database = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: mira-%CLIENT_NAME%-db\nspec:\n  replicas: 0\n" +
	"  serviceName: mira-db\n  selector:\n    matchLabels:\n      app: db\n      client: %CLIENT_NAME%\n  template:\n    metadata:\n" +
	"      labels:\n        app: db\n        client: %CLIENT_NAME%\n    spec:\n" +
	"      containers:\n      - name: mira\n        image: mariadb:11\n"

// fields returns what a way of the feature is merged from.
func (f feature) fields(way int) map[string]any {
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(f.ways[way]), &fields); err != nil {
		panic(fmt.Sprintf("%s: %v", f.ways[way], err)) // the test is wrong
	}
	return fields
}

func allFeatures() []feature { return slices.Concat(features...) }

func drawWays(r *rand.Rand, density float64) ways {
	drawn := make(ways)
	for i, f := range allFeatures() {
		if r.Float64() < density {
			drawn[i] = r.IntN(len(f.ways))
		}
	}
	return drawn
}

// redraw draws one feature again, most often one that the template has.
func redraw(r *rand.Rand, has ways) {
	all := allFeatures()
	at := r.IntN(len(all))
	if len(has) > 0 && r.IntN(2) == 0 {
		at = pick(r, slices.Sorted(maps.Keys(has)))
	}
	if _, ok := has[at]; ok && r.IntN(2) == 0 {
		delete(has, at)
		return
	}
	has[at] = r.IntN(len(all[at].ways))
}

// build returns the template that choices, features and further documents make.
func build(r *rand.Rand, c choices, has ways, further []string) template {
	c.ByVariable = false // it needs a value without quotes
	if r.IntN(3) > 0 {
		c.Replicas = 0 // no pods
	}
	documents := template(c.objects()).clone() // as JSON has it
	for _, text := range further {
		documents = append(documents, parseTemplate(text)...)
	}
	for i, f := range allFeatures() {
		way, ok := has[i]
		if !ok {
			continue
		}
		for _, document := range documents {
			if fields := find(document, f.at); document["kind"] == f.kind && fields != nil {
				merge(fields, f.fields(way))
				break // others of this kind have no features
			}
		}
	}
	return documents
}

// keepClaims lets both templates have the same claims where there are pods: a plan refuses to
// lose their data, or to make them smaller.
func keepClaims(p pair) {
	const field = "volumeClaimTemplates"
	for _, document := range p.a {
		spec := find(document, "spec")
		other, ok := p.b.at([]string{nameOf(document), "spec"})
		same, _ := other.(map[string]any)
		if document["kind"] != "StatefulSet" || !ok || fmt.Sprint(spec["replicas"], same["replicas"]) == "0 0" {
			continue
		}
		delete(same, field)
		if claims, ok := spec[field]; ok {
			same[field] = claims
		}
	}
}

// Each feature finds its place in a template, and each of its ways can be read.
func TestFeatures(t *testing.T) {
	t.Parallel()
	plain := build(rand.New(rand.NewPCG(1, 1)), firstTemplate(rand.New(rand.NewPCG(1, 1))), nil, []string{worker})
	for _, f := range allFeatures() {
		isPlace := func(document map[string]any) bool { return document["kind"] == f.kind && find(document, f.at) != nil }
		if !slices.ContainsFunc(plain, isPlace) {
			t.Errorf("there is no %s %s", f.kind, f.at)
		}
		for way := range f.ways {
			if len(f.fields(way)) == 0 {
				t.Errorf("%s %s: way %d is empty", f.kind, f.at, way)
			}
		}
	}
}
