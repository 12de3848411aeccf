package fleetrules

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// dashboard is what a test reads of fleet-dashboard.json.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// fleetClient is a client as kube-state-metrics and a kubelet show it.
type fleetClient struct {
	name          string
	wanted, ready float64
	isPending     bool
	image, caddy  string
	hasNoService  bool
	used          float64 // of its claim; 0 if no pod has it
}

// The image that most clients run, and the one before it.
const (
	newImage = "mira:3.1"
	oldImage = "mira:3.0"
)

// fleet has clients that are well, and one for each alert.
var fleet = []fleetClient{
	{name: "acme", wanted: 0, ready: 0},
	{name: "globex", wanted: 1, ready: 0, isPending: true, image: newImage, caddy: "caddy:2.9", used: 0.5},
	{name: "hooli", wanted: 1, ready: 1, image: oldImage, caddy: "caddy:2.8", used: 0.1},
	{name: "initech", wanted: 2, ready: 1, isPending: true, image: newImage, caddy: "caddy:2.8", used: 0.1},
	{name: "umbrella", wanted: 1, ready: 1, image: newImage, caddy: "caddy:2.8", hasNoService: true, used: 0.1},
	{name: "wonka", wanted: 1, ready: 1, image: newImage, caddy: "caddy:2.8", used: 0.96},
}

// append adds what is to be seen of a client at a time.
func (c *fleetClient) append(storage *Storage, at time.Time) {
	workload, pod, claim := "mira-"+c.name, "mira-"+c.name+"-0", "mira-data-mira-"+c.name+"-0"
	add := func(value float64, name string, pairs ...string) {
		pairs = append([]string{model.MetricNameLabel, name, "namespace", "default", "job", "test"}, pairs...)
		storage.Append(labels.FromStrings(pairs...), at, value)
	}
	set := func(value float64, name string, pairs ...string) {
		add(value, "kube_statefulset_"+name, append(pairs, "statefulset", workload)...)
	}
	set(1, "labels", "label_mira_cluster_io_client", c.name)
	set(c.wanted, "replicas")
	set(c.ready, "status_replicas_ready")
	set(2, "metadata_generation")
	set(2, "status_observed_generation")
	update := "1"
	if c.isPending {
		update = "2"
	}
	set(1, "status_current_revision", "revision", "1")
	set(1, "status_update_revision", "revision", update)
	add(1, "kube_ingress_labels", "ingress", workload, "label_mira_cluster_io_client", c.name)
	if !c.hasNoService {
		add(1, "kube_service_labels", "service", workload, "label_mira_cluster_io_client", c.name)
	}
	add(5, "kube_persistentvolumeclaim_resource_requests_storage_bytes", "persistentvolumeclaim", claim)
	if c.used == 0 {
		return
	}
	add(1, "kube_pod_owner", "pod", pod, "owner_kind", "StatefulSet", "owner_name", workload)
	add(1, "kube_pod_container_info", "pod", pod, "container", "mira", "image_spec", c.image, "image", "docker.io/"+c.image)
	add(1, "kube_pod_container_info", "pod", pod, "container", "caddy", "image_spec", c.caddy, "image", "docker.io/"+c.caddy)
	add(1, "kube_pod_spec_volumes_persistentvolumeclaims_info", "pod", pod, "persistentvolumeclaim", claim, "volume", "mira-data")
	add(100, "kubelet_volume_stats_capacity_bytes", "persistentvolumeclaim", claim)
	add(100-100*c.used, "kubelet_volume_stats_available_bytes", "persistentvolumeclaim", claim)
}

// Each query of the dashboard gives what its panel is for. No panel is without a query that is
// compared.
func TestDashboard(t *testing.T) {
	t.Parallel()
	rules, err := Load(filepath.Join(scenario, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(0, 0).Add(time.Hour)
	for at := time.Unix(0, 0); !at.After(end); at = at.Add(time.Minute) {
		for i := range fleet {
			fleet[i].append(&rules.Storage, at)
		}
		if err := rules.Evaluate(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(scenario, "fleet-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	want := wantedPanels()
	ask := func(query string) []string {
		t.Helper()
		vector, err := rules.Query(t.Context(), query, end)
		if err != nil {
			t.Fatal(err)
		}
		lines := make([]string, 0, len(vector))
		for _, sample := range vector {
			lines = append(lines, line(sample.Metric, sample.F))
		}
		return lines
	}
	for _, panel := range d.Panels {
		if len(panel.Targets) != len(want[panel.Title]) || len(panel.Targets) == 0 {
			t.Errorf("panel %q has %d queries, and the test knows %d", panel.Title, len(panel.Targets), len(want[panel.Title]))
			continue
		}
		for i, target := range panel.Targets {
			compare(t, fmt.Sprintf("panel %q, query %d", panel.Title, i+1),
				ask(strings.ReplaceAll(target.Expr, "$namespace", "default|other")), want[panel.Title][i])
		}
		delete(want, panel.Title)
	}
	for title := range want {
		t.Errorf("the dashboard has no panel %q", title)
	}
	for _, variable := range d.Templating.List {
		if variable.Definition != "" {
			asked := regexp.MustCompile(`^label_values\((.*), namespace\)$`).ReplaceAllString(variable.Definition, "count by (namespace) ($1)")
			compare(t, "variable "+variable.Name, ask(asked), []string{"6"})
		}
	}
}

// line returns a series as its labels but for the namespace, and its value.
func line(metric labels.Labels, value float64) string {
	var words []string
	metric.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel && l.Name != "namespace" {
			words = append(words, l.Name+"="+l.Value)
		}
	})
	return strings.TrimSpace(fmt.Sprintf("%s %.4g", strings.Join(words, " "), value))
}

// wantedPanels returns what each query of each panel gives for the fleet.
func wantedPanels() map[string][][]string {
	var ready, wanted, pending, used, sizes []string
	for _, c := range fleet {
		series := func(value float64) string {
			return fmt.Sprintf("client=%s statefulset=mira-%s %g", c.name, c.name, value)
		}
		ready, wanted = append(ready, series(c.ready)), append(wanted, series(c.wanted))
		pending = append(pending, series(map[bool]float64{true: 1}[c.isPending]))
		if c.used > 0 {
			claim := fmt.Sprintf("client=%s persistentvolumeclaim=mira-data-mira-%s-0", c.name, c.name)
			used, sizes = append(used, fmt.Sprintf("%s %.4g", claim, c.used)), append(sizes, claim+" 5")
		}
	}
	return map[string][][]string{
		"Clients":           {{"6"}},
		"Up":                {{"4"}},
		"Down":              {{"1"}},
		"Stopped":           {{"1"}},
		"In rollout":        {{"2"}},
		"On another image":  {{"2"}},
		"Claims over 85%":   {{"1"}},
		"Clients over time": {{"5"}, {"4"}, {"2"}},
		"Alerts": {{
			"alertname=MiraClaimFillsUp alertstate=firing client=wonka persistentvolumeclaim=mira-data-mira-wonka-0 severity=warning 1",
			"alertname=MiraClaimFull alertstate=firing client=wonka persistentvolumeclaim=mira-data-mira-wonka-0 severity=critical 1",
			"alertname=MiraClientDown alertstate=firing client=globex severity=critical statefulset=mira-globex 1",
			"alertname=MiraClientIncomplete alertstate=firing client=umbrella kind=Service severity=critical 1",
			"alertname=MiraClientRolloutStuck alertstate=firing client=globex severity=warning statefulset=mira-globex 1",
			"alertname=MiraClientRolloutStuck alertstate=firing client=initech severity=warning statefulset=mira-initech 1",
			"alertname=MiraClientStopped alertstate=firing client=acme severity=warning statefulset=mira-acme 1",
		}},
		"Clients by name": {ready, wanted, pending},
		"Images": {{
			"container=caddy image=caddy:2.8 4", "container=caddy image=caddy:2.9 1", "container=mira image=mira:3.0 1",
			"container=mira image=mira:3.1 4",
		}},
		"Clients on another image": {{
			"client=globex container=caddy image=caddy:2.9 1", "client=hooli container=mira image=mira:3.0 1",
		}},
		"How full the claims are": {used},
		"Claims over time":        {slices.Clone(used)},
		"Size of the claims":      {sizes},
		"Claims without a pod":    {{"persistentvolumeclaim=mira-data-mira-acme-0 5"}},
	}
}
