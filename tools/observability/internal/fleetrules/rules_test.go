package fleetrules

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"
)

var scenario = filepath.Join("..", "..", "..", "..", "examples", "scenarios", "observability")

// unitTests is a file for `promtool test rules`.
type unitTests struct {
	RuleFiles          []string       `json:"rule_files"`
	EvaluationInterval model.Duration `json:"evaluation_interval"`
	Tests              []unitTest     `json:"tests"`
}

type unitTest struct {
	Name     string         `json:"name"`
	Interval model.Duration `json:"interval"`
	Input    []struct {
		Series, Values string
	} `json:"input_series"`
	Alerts []struct {
		Time  model.Duration `json:"eval_time"`
		Name  string         `json:"alertname"`
		Wants []struct {
			Labels      map[string]string `json:"exp_labels"`
			Annotations map[string]string `json:"exp_annotations"`
		} `json:"exp_alerts"`
	} `json:"alert_rule_test"`
	Queries []struct {
		Query   string         `json:"expr"`
		Time    model.Duration `json:"eval_time"`
		Samples []struct {
			Labels string
			Value  float64
		} `json:"exp_samples"`
	} `json:"promql_expr_test"`
}

// The unit tests of the scenario's rules, which promtool runs, too.
func TestRules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(scenario, "*_test.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no unit tests in %s: %v", scenario, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tests unitTests
		if err := yaml.UnmarshalStrict(text, &tests); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(tests.RuleFiles) != 1 {
			t.Fatalf("%s has %d rule files", file, len(tests.RuleFiles))
		}
		evaluation := time.Duration(tests.EvaluationInterval)
		if evaluation == 0 {
			evaluation = time.Minute
		}
		for _, test := range tests.Tests {
			t.Run(test.Name, func(t *testing.T) {
				t.Parallel()
				test.run(t, filepath.Join(scenario, tests.RuleFiles[0]), evaluation)
			})
		}
	}
}

func (u *unitTest) run(t *testing.T, file string, evaluation time.Duration) {
	rules, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(0, 0)
	for _, input := range u.Input {
		metric, values, err := NewParser().ParseSeriesDesc(input.Series + " " + input.Values)
		if err != nil {
			t.Fatalf("%s %s: %v", input.Series, input.Values, err)
		}
		for i, value := range values {
			if !value.Omitted {
				rules.Storage.Append(metric, start.Add(time.Duration(i)*time.Duration(u.Interval)), value.Value)
			}
		}
	}
	var end model.Duration
	for _, alert := range u.Alerts {
		end = max(end, alert.Time)
	}
	for _, query := range u.Queries {
		end = max(end, query.Time)
	}
	checked := 0
	for at := time.Duration(0); at <= time.Duration(end); at += evaluation {
		if err := rules.Evaluate(t.Context(), start.Add(at)); err != nil {
			t.Fatalf("after %s: %v", at, err)
		}
		checked += u.check(t, rules, model.Duration(at), start.Add(at))
	}
	if want := len(u.Alerts) + len(u.Queries); checked != want || want == 0 {
		t.Errorf("%d of %d expectations are at a time at which the rules are evaluated", checked, want)
	}
}

// check compares what is expected after a time, and returns how many expectations there are.
func (u *unitTest) check(t *testing.T, rules *Rules, after model.Duration, at time.Time) (checked int) {
	t.Helper()
	for _, want := range u.Alerts {
		if want.Time != after {
			continue
		}
		checked++
		got, wanted := []string{}, []string{}
		for _, alert := range rules.Firing() {
			if alert.Name == want.Name {
				got = append(got, fmt.Sprint(alert.Labels, alert.Annotations))
			}
		}
		for _, alert := range want.Wants {
			wanted = append(wanted, fmt.Sprint(alert.Labels, alert.Annotations))
		}
		compare(t, fmt.Sprintf("after %s, %s", after, want.Name), got, wanted)
	}
	for _, want := range u.Queries {
		if want.Time != after {
			continue
		}
		checked++
		vector, err := rules.Query(t.Context(), want.Query, at)
		if err != nil {
			t.Fatal(err)
		}
		got, wanted := []string{}, []string{}
		for _, sample := range vector {
			got = append(got, fmt.Sprint(sample.Metric, math.Round(sample.F*1e6)/1e6))
		}
		for _, sample := range want.Samples {
			metric, err := NewParser().ParseMetric(sample.Labels)
			if err != nil {
				t.Fatalf("%s: %v", sample.Labels, err)
			}
			wanted = append(wanted, fmt.Sprint(metric, sample.Value))
		}
		compare(t, fmt.Sprintf("after %s, %s", after, want.Query), got, wanted)
	}
	return checked
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
