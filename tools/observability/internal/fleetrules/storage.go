// Package fleetrules evaluates rules as a Prometheus does: rule files are read, queries are answered and
// annotations are expanded by Prometheus' own packages. Its storage and its rule manager, and promtool, depend on
// the libraries of every cloud: what is needed of them is here, in memory.
package fleetrules

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Stale is the sample that ends a series.
var Stale = math.Float64frombits(value.StaleNaN)

// Storage keeps series in memory.
type Storage struct {
	// by the name of the metric, and by all labels
	series map[string]map[string]*promql.Series
}

// Append adds a sample to a series. The samples of a series come in the order of time.
func (s *Storage) Append(metric labels.Labels, at time.Time, sample float64) {
	if s.series == nil {
		s.series = make(map[string]map[string]*promql.Series)
	}
	name, key := metric.Get(model.MetricNameLabel), metric.String()
	if s.series[name] == nil {
		s.series[name] = make(map[string]*promql.Series)
	}
	if s.series[name][key] == nil {
		s.series[name][key] = &promql.Series{Metric: metric}
	}
	found := s.series[name][key]
	found.Floats = append(found.Floats, promql.FPoint{T: timestamp.FromTime(at), F: sample})
}

// Querier implements storage.Queryable.
func (s *Storage) Querier(int64, int64) (storage.Querier, error) {
	return &querier{storage: s}, nil
}

type querier struct {
	storage.MockQuerier // nobody asks for names and values of labels

	storage *Storage
}

// Select implements storage.Querier.
func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &seriesSet{}
	for name, all := range q.storage.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name == model.MetricNameLabel && !m.Matches(name) }) {
			continue
		}
		for _, one := range all {
			if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.Metric.Get(m.Name)) }) {
				found.rest = append(found.rest, one)
			}
		}
	}
	slices.SortFunc(found.rest, func(a, b *promql.Series) int { return labels.Compare(a.Metric, b.Metric) })
	return found
}

// seriesSet implements storage.SeriesSet.
type seriesSet struct {
	rest    []*promql.Series
	current *promql.Series
}

func (s *seriesSet) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.current, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *seriesSet) At() storage.Series                { return promql.NewStorageSeries(*s.current) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
