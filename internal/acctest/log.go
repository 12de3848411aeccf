package acctest

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr/funcr"

	"github.com/mira-cluster/terraform-provider-mira/internal/logging"
)

// Log records the debug log of what is called with its context. Its zero value is an
// empty log.
type Log struct {
	mu    sync.Mutex
	lines []string
}

// Context returns a context that writes to the log.
func (l *Log) Context(ctx context.Context) context.Context {
	return logging.NewContext(ctx, funcr.New(func(_, line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
	}, funcr.Options{Verbosity: 1}))
}

// Lines returns what was written so far, such as
//
//	"level"=1 "msg"="Sent a request" "method"="GET"
func (l *Log) Lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}
