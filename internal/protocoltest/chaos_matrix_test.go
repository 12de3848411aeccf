package protocoltest_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// verdict is how a case ended.
type verdict int

const (
	notHit   verdict = iota + 1
	survived         // without a word
	failed           // with an error, and the next apply converged
	broken
)

// chaosMatrix counts verdicts by operation and fault.
type chaosMatrix struct {
	mu     sync.Mutex
	counts map[[2]string]map[verdict]int
}

func (m *chaosMatrix) add(c chaosCase, v verdict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range [][2]string{{c.fault, c.operation.name}, {c.fault, "all"}, {"all", c.operation.name}, {"all", "all"}} {
		if m.counts[key] == nil {
			m.counts[key] = make(map[verdict]int)
		}
		m.counts[key][v]++
	}
}

// String is a table: for each fault and operation the cases that survived without a word,
// failed and converged, and broke something.
func (m *chaosMatrix) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	faults, operations := make(map[string]bool), make(map[string]bool)
	for key := range m.counts {
		faults[key[0]], operations[key[1]] = true, true
	}
	last := func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) }
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s", "survived/failed/broken")
	columns := slices.SortedFunc(maps.Keys(operations), last)
	for _, operation := range columns {
		fmt.Fprintf(&b, "%18s", operation)
	}
	for _, fault := range slices.SortedFunc(maps.Keys(faults), last) {
		fmt.Fprintf(&b, "\n%-28s", fault)
		for _, operation := range columns {
			n := m.counts[[2]string{fault, operation}]
			fmt.Fprintf(&b, "%18s", fmt.Sprintf("%d/%d/%d", n[survived], n[failed], n[broken]))
		}
	}
	return b.String()
}

// rank puts the sums last.
func rank(name string) int {
	if name == "all" {
		return 1
	}
	return 0
}
