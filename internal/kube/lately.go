package kube

import (
	"sync"
	"time"
)

// latelyMost bounds how many values a [lately] holds. The CLI works at ten clients
// at a time by default, and asks for the same again before it goes on to the next.
const latelyMost = 128

// lately remembers a few values for as long as an answer may be old: [gatherAge].
type lately[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]dated[V]
	order  []K // the oldest first
}

type dated[V any] struct {
	value V
	since time.Time
}

func (l *lately[K, V]) get(key K) (V, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.values[key]
	if !ok || time.Since(found.since) >= gatherAge {
		var none V
		return none, false
	}
	return found.value, true
}

func (l *lately[K, V]) put(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.values == nil {
		l.values = make(map[K]dated[V], latelyMost)
	}
	if _, ok := l.values[key]; !ok {
		if len(l.order) == latelyMost {
			delete(l.values, l.order[0])
			l.order = l.order[1:]
		}
		l.order = append(l.order, key)
	}
	l.values[key] = dated[V]{value: value, since: time.Now()}
}
