package template

import (
	"strings"
	"testing"
)

// workload returns a StatefulSet whose pod template has a specification, from line 9 on, of lines of YAML.
func workload(lines ...string) string {
	return `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: mira-%CLIENT_NAME%
spec:
  replicas: 1
  template:
    spec:
      ` + strings.Join(lines, "\n      ") + "\n"
}

func TestDuplicateItems(t *testing.T) {
	const rule = "Kubernetes tells the items of %s apart by that, and the last one counts: remove the other"
	says := func(place, key, line, list string) string {
		return place + ": another item with " + key + " begins in line " + line + " already. " + strings.ReplaceAll(rule, "%s", list)
	}
	tests := []struct {
		name, text string
		values     Values
		want       []string
	}{
		{
			"variables of the environment", workload(
				"containers:", "- name: mira", "  env:", "  - {name: LEVEL, value: info}", "  - {name: OTHER, value: x}",
				"  - name: LEVEL", "    value: debug", "- name: caddy", "  env: [{name: LEVEL, value: info}]",
			), testValues(),
			[]string{says("line 14: spec.template.spec.containers[0].env[2]", "name LEVEL", "12", "env")},
		},
		{
			"ports, with the protocol by default", workload(
				"initContainers:", "- name: wait", "  ports:", "  - {containerPort: 80}", "  - {containerPort: 80, protocol: UDP}",
				"  - {containerPort: 80, protocol: TCP, name: http}",
			), testValues(),
			[]string{says("line 14: spec.template.spec.initContainers[0].ports[2]", "containerPort 80 and protocol TCP", "12", "ports")},
		},
		{
			"a third item", workload("containers:", "- name: mira", "  env: ", "  - {name: A}", "  - {name: A}", "  - {name: A}"), testValues(),
			[]string{
				says("line 13: spec.template.spec.containers[0].env[1]", "name A", "12", "env"),
				says("line 14: spec.template.spec.containers[0].env[2]", "name A", "13", "env"),
			},
		},
		{
			"lists of a pod", workload(
				"containers: [{name: mira}]", "volumes:", "- name: data", "- name: data", "hostAliases:", "- ip: 10.0.0.1", "- ip: 10.0.0.1",
				"imagePullSecrets:", "- name: a", "- name: a", "topologySpreadConstraints:",
				"- {topologyKey: zone, whenUnsatisfiable: DoNotSchedule}", "- {topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}",
				"- {topologyKey: zone, whenUnsatisfiable: DoNotSchedule}",
			), testValues(),
			[]string{
				says("line 12: spec.template.spec.volumes[1]", "name data", "11", "volumes"),
				says("line 15: spec.template.spec.hostAliases[1]", "ip 10.0.0.1", "14", "hostAliases"),
				says("line 18: spec.template.spec.imagePullSecrets[1]", "name a", "17", "imagePullSecrets"),
				says("line 22: spec.template.spec.topologySpreadConstraints[2]", "topologyKey zone and whenUnsatisfiable DoNotSchedule", "20",
					"topologySpreadConstraints"),
			},
		},
		{
			"containers, and what is mounted twice", workload(
				"containers:", "- name: mira", "  volumeMounts:", "  - {name: a, mountPath: /data}", "  - {name: b, mountPath: /data}", "- name: mira",
			), testValues(),
			[]string{
				says("line 13: spec.template.spec.containers[0].volumeMounts[1]", "mountPath /data", "12", "volumeMounts"),
				says("line 14: spec.template.spec.containers[1]", "name mira", "10", "containers"),
			},
		},
		{
			"ports of a Service", object("v1", "Service", "'%CLIENT_NAME%'") + "spec:\n  ports:\n  - {name: a, port: 80}\n  - {name: b, port: 80}\n",
			testValues(),
			[]string{says("line 8: spec.ports[1]", "port 80 and protocol TCP", "7", "ports")},
		},
		{
			"names that values make the same", workload("containers:", "- name: mira", "  env: ", "  - {name: '%AA%'}", "  - {name: X}"),
			testValues("AA", "X"),
			[]string{says("line 13: spec.template.spec.containers[0].env[1]", "name X", "12", "env")},
		},
		{
			"a list that repeats by an alias", workload("containers:", "- &c {name: mira}", "- *c"), testValues(),
			[]string{says("line 10: spec.template.spec.containers[1]", "name mira", "10", "containers")},
		},
		{
			"names that values make different", workload("containers:", "- name: mira", "  env: ", "  - {name: '%AA%'}", "  - {name: X}"),
			testValues("AA", "Y"), nil,
		},
		{"lists without merge keys", workload(
			"containers:", "- name: mira", "  command: [a, a]", "  envFrom:", "  - {secretRef: {name: a}}", "  - {secretRef: {name: a}}",
			"tolerations: [{key: a}, {key: a}]",
		), testValues(), nil},
		{"items without a key", workload("containers:", "- image: a", "- image: b"), testValues(), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Render(test.values, testPolicy)
			wantErrors(t, err, test.want...)
		})
	}
}

func TestLineOfField(t *testing.T) {
	text := workload(
		"containers:", "- name: mira", "  image: a", "  ports:", "  - {containerPort: 80}", "  - name: https", "    containerPort: 443",
		"  resources:", "    limits:", "      cpu: 1", "- name: '%CLIENT_NAME%-caddy'", "  image: b", "tolerations:", "- key: a", "- key: b",
		"volumes:", "- name: v", "  projected: {sources: [{configMap: {items: [", "  {path: a, key: a},", "",
		"  {path: b, key: b}]}}]}",
	)
	o := mustRender(t, text, testValues())[0]
	foreign := func(paths ...string) []string {
		for i, path := range paths {
			paths[i] = "spec.template.spec." + path
		}
		return paths
	}
	for _, test := range []struct {
		field   string
		foreign []string
		want    int // 0 if it is not known
	}{
		{"spec.template.spec.containers[0].ports[1].containerPort", nil, 15},
		{"spec.template.spec.containers[1].image", nil, 20},
		{"spec.template.spec.containers[acme-caddy].image", nil, 20},
		{"spec.template.spec.containers[mira].ports[443,TCP].name", nil, 14},
		{"spec.template.spec.containers[0].resources.limits[cpu]", nil, 18},
		{"spec.template.spec.containers[0].livenessProbe.httpGet", nil, 10},
		{"spec.template.spec.containers[7].image", nil, 9},
		{"spec.replicas", nil, 6},
		{"spec", nil, 0},
		{"status.x", nil, 0},
		{"<nil>", nil, 0},
		{"", nil, 0},

		// Where others have put items into a list, the server's numbers are not the template's.
		{"spec.template.spec.containers[1].image", foreign("containers[mesh].image", "volumes[x].name"), 9},
		{"spec.template.spec.containers[1].ports[0]", foreign("containers[mesh].image"), 9},
		{"spec.template.spec.containers[mira].image", foreign("containers[mesh].image"), 11},
		{"spec.template.spec.containers[0].ports[1].containerPort", foreign("containers[mira].stdin", "containers[mira].env[A].value"), 15},
		{"spec.template.spec.containers[0].ports[1].containerPort", foreign("containers[mira].ports[81,TCP].name"), 12},
		{"spec.template.spec.containers[0].resources.limits[cpu]", foreign("containers[mira].ports[81,TCP].name"), 18},
		{"spec.template.spec.tolerations[1].key", nil, 23},
		{"spec.template.spec.volumes[0].projected.sources[0].configMap.items[1].path", nil, 29},
	} {
		got, ok := o.LineOfField(test.field, test.foreign)
		if !ok {
			got = 0
		}
		if got != test.want {
			t.Errorf("%s: line %d, want %d", test.field, got, test.want)
		}
	}
}
