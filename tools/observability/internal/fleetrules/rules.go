package fleetrules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
)

// Names of labels of an alert's series.
const (
	alertName  = "alertname"
	alertState = "alertstate"
)

// Rules are those of a file, with the storage that they read and write.
type Rules struct {
	Storage Storage

	engine *promql.Engine
	rules  []*rule
}

// rule is a rule with what its last evaluation has left.
type rule struct {
	rulefmt.Rule

	recorded map[string]labels.Labels // the series that the last evaluation has written
	active   map[string]*Alert
}

// Alert is an alert that is pending or fires.
type Alert struct {
	Name        string
	Labels      map[string]string // without its name
	Annotations map[string]string
	IsFiring    bool

	since time.Time
}

// NewParser returns a parser of Prometheus' language.
func NewParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// Load reads a rule file, as strictly as Prometheus.
func Load(file string) (*Rules, error) {
	logger := slog.New(slog.DiscardHandler)
	groups, problems := rulefmt.ParseFile(file, false, model.UTF8Validation, NewParser(), logger)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	r := &Rules{engine: promql.NewEngine(promql.EngineOpts{
		Logger: logger, MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: NewParser(),
	})}
	for _, group := range groups.Groups {
		for _, one := range group.Rules {
			r.rules = append(r.rules, &rule{Rule: one, active: make(map[string]*Alert)})
		}
	}
	return r, nil
}

// Query answers a query as of a time.
func (r *Rules) Query(ctx context.Context, query string, at time.Time) (promql.Vector, error) {
	asked, err := r.engine.NewInstantQuery(ctx, &r.Storage, nil, query, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer asked.Close()
	result := asked.Exec(ctx)
	if result.Err != nil {
		return nil, fmt.Errorf("%s: %w", query, result.Err)
	}
	if scalar, isScalar := result.Value.(promql.Scalar); isScalar {
		return promql.Vector{{T: scalar.T, F: scalar.V}}, nil
	}
	vector, err := result.Vector()
	return slices.Clone(vector), err
}

// Evaluate evaluates all rules as of a time, in their order. Times only go forward.
func (r *Rules) Evaluate(ctx context.Context, at time.Time) error {
	for _, rule := range r.rules {
		vector, err := r.Query(ctx, rule.Expr, at)
		if err != nil {
			return fmt.Errorf("rule %s%s: %w", rule.Record, rule.Alert, err)
		}
		written := make(map[string]labels.Labels, len(vector))
		if rule.Record != "" {
			r.record(rule, vector, at, written)
		} else if err := r.alert(ctx, rule, vector, at, written); err != nil {
			return err
		}
		for key, metric := range rule.recorded {
			if _, isThere := written[key]; !isThere {
				r.Storage.Append(metric, at, Stale)
			}
		}
		rule.recorded = written
	}
	return nil
}

func (r *Rules) record(rule *rule, vector promql.Vector, at time.Time, written map[string]labels.Labels) {
	for _, sample := range vector {
		metric := withLabels(sample.Metric, rule.Labels, model.MetricNameLabel, rule.Record)
		r.Storage.Append(metric, at, sample.F)
		written[metric.String()] = metric
	}
}

// withLabels returns labels with further ones, and pairs of names and values.
func withLabels(of labels.Labels, further map[string]string, pairs ...string) labels.Labels {
	builder := labels.NewBuilder(of)
	for name, value := range further {
		builder.Set(name, value)
	}
	for pair := range slices.Chunk(pairs, 2) {
		builder.Set(pair[0], pair[1])
	}
	return builder.Labels()
}

// alert notes since when each series of an alert's expression is there, and writes the series
// ALERTS.
func (r *Rules) alert(ctx context.Context, rule *rule, vector promql.Vector, at time.Time, written map[string]labels.Labels) error {
	active := make(map[string]*Alert, len(vector))
	for _, sample := range vector {
		of := labels.NewBuilder(sample.Metric).Del(model.MetricNameLabel).Labels()
		key := of.String()
		found := &Alert{Name: rule.Alert, since: at}
		if before, isActive := rule.active[key]; isActive {
			found.since = before.since
		}
		found.IsFiring = at.Sub(found.since) >= time.Duration(rule.For)
		found.Labels = withLabels(of, rule.Labels).Map()
		var err error
		if found.Annotations, err = r.expand(ctx, rule, of, sample, at); err != nil {
			return err
		}
		active[key] = found
		state := "pending"
		if found.IsFiring {
			state = "firing"
		}
		metric := withLabels(of, rule.Labels, model.MetricNameLabel, "ALERTS", alertName, rule.Alert, alertState, state)
		r.Storage.Append(metric, at, 1)
		written[metric.String()] = metric
	}
	rule.active = active
	return nil
}

// expand fills the annotations of an alert in.
func (r *Rules) expand(ctx context.Context, rule *rule, of labels.Labels, sample promql.Sample, at time.Time) (map[string]string, error) {
	data := template.AlertTemplateData(of.Map(), nil, "", sample)
	expanded := make(map[string]string, len(rule.Annotations))
	for name, text := range rule.Annotations {
		var err error
		expanded[name], err = template.NewTemplateExpander(ctx, "{{$labels := .Labels}}{{$value := .Value}}"+text, rule.Alert, data,
			model.TimeFromUnixNano(at.UnixNano()), r.Query, nil, nil).Expand()
		if err != nil {
			return nil, fmt.Errorf("annotation %s of %s: %w", name, rule.Alert, err)
		}
	}
	return expanded, nil
}

// Firing returns the alerts that fire since the last evaluation, by name and labels.
func (r *Rules) Firing() []Alert {
	var firing []Alert
	for _, rule := range r.rules {
		for _, found := range rule.active {
			if found.IsFiring {
				firing = append(firing, *found)
			}
		}
	}
	slices.SortFunc(firing, func(a, b Alert) int {
		return strings.Compare(a.Name+labels.FromMap(a.Labels).String(), b.Name+labels.FromMap(b.Labels).String())
	})
	return firing
}
