package fleetrules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// read returns the text of a file of the repository.
func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each alert says what to do, and of which client, and leads to a section of the guide, whose
// table says how long it waits.
func TestAlertsAreExplained(t *testing.T) {
	t.Parallel()
	rules, err := Load(filepath.Join(scenario, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	guide := read(t, scenario, "..", "..", "..", "docs", "guides", "watch-the-fleet.md")
	alerts := 0
	for _, rule := range rules.rules {
		if rule.Alert == "" {
			continue
		}
		alerts++
		_, anchor, _ := strings.Cut(rule.Annotations["runbook_url"], "/docs/guides/watch-the-fleet.md#")
		_, section, _ := strings.Cut(strings.ToLower(guide), "\n## "+strings.ReplaceAll(anchor, "-", " ")+"\n")
		if section, _, _ = strings.Cut(section, "\n## "); !strings.Contains(section, strings.ToLower("`"+rule.Alert+"`")) {
			t.Errorf("the runbook of %s is %q, and the guide has no such section of it", rule.Alert, rule.Annotations["runbook_url"])
		}
		waits := map[string]string{"1d": "for a day"}
		for _, minutes := range []string{"5", "10", "15", "30"} {
			waits[minutes+"m"] = "for " + minutes + " minutes"
		}
		row := regexp.MustCompile("\n\\| `" + rule.Alert + "` \\| " + rule.Labels["severity"] + " \\| .*").FindString(guide)
		if wait := waits[rule.For.String()]; wait == "" || !strings.Contains(row, wait) {
			t.Errorf("the guide's table has %q for %s, which is %s and waits for %s", row, rule.Alert, rule.Labels["severity"], rule.For)
		}
		for _, name := range []string{"summary", "description"} {
			if text := rule.Annotations[name]; text == "" || rule.Alert != "MiraFleetNotSeen" && !strings.Contains(text, "$labels.client") {
				t.Errorf("the %s of %s names no client: %q", name, rule.Alert, text)
			}
		}
	}
	if rows := len(regexp.MustCompile("\n\\| `Mira").FindAllString(guide, -1)); alerts == 0 || rows != alerts {
		t.Errorf("there are %d alerts, and %d in the guide", alerts, rows)
	}
}

// The values of the charts are of the form that the charts read, and know of the files that the
// commands of the README install.
func TestHelmValues(t *testing.T) {
	t.Parallel()
	var prometheus struct {
		Server struct {
			Retention        string `json:"retention"`
			PersistentVolume struct {
				Size string `json:"size"`
			} `json:"persistentVolume"`
		} `json:"server"`
		ServerFiles map[string]struct {
			RuleFiles []string `json:"rule_files"`
		} `json:"serverFiles"`
		KubeStateMetrics struct {
			MetricLabelsAllowlist []string `json:"metricLabelsAllowlist"`
		} `json:"kube-state-metrics"`
		Pushgateway struct {
			Enabled bool `json:"enabled"`
		} `json:"prometheus-pushgateway"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, scenario, "prometheus.yaml")), &prometheus); err != nil {
		t.Fatalf("prometheus.yaml: %v", err)
	}
	var grafana struct {
		Persistence struct {
			Enabled bool   `json:"enabled"`
			Size    string `json:"size"`
		} `json:"persistence"`
		DeploymentStrategy struct {
			Type string `json:"type"`
		} `json:"deploymentStrategy"`
		Datasources, DashboardProviders map[string]any
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, scenario, "grafana.yaml")), &grafana); err != nil {
		t.Fatalf("grafana.yaml: %v", err)
	}
	if files := prometheus.ServerFiles["prometheus.yml"].RuleFiles; !slices.Contains(files, "/etc/config/mira_rules.yml") {
		t.Errorf("prometheus.yaml has the rule files %q", files)
	}
	rules := read(t, scenario, "rules.yaml")
	for _, match := range regexp.MustCompile(`kube_(\w+)_labels\{`).FindAllStringSubmatch(rules, -1) {
		plural := map[string]string{"statefulset": "statefulsets", "service": "services", "ingress": "ingresses"}[match[1]]
		want := plural + "=[mira-cluster.io/client]"
		if !slices.Contains(prometheus.KubeStateMetrics.MetricLabelsAllowlist, want) {
			t.Errorf("rules.yaml reads %s, and prometheus.yaml has no %s", match[0], want)
		}
	}
	readme := read(t, scenario, "README.md")
	for _, want := range []string{
		`--set-file 'ruleFiles.mira_rules\.yml=rules.yaml'`, "--set-file dashboards.mira.fleet.json=fleet-dashboard.json",
		"-f prometheus.yaml", "-f grafana.yaml",
	} {
		if !strings.Contains(readme, want) {
			t.Errorf("the README does not install by %s", want)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([\w-]+\.(?:yaml|json))\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(filepath.Join(scenario, link[1])); err != nil {
			t.Errorf("the README names a file: %v", err)
		}
	}
}
