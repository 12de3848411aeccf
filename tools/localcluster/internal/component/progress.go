package component

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Progress shows a user, on a terminal or in the log of a CI run, that a long
// build is alive: a line at the start, one per interval, one at the end.
type Progress struct {
	out      io.Writer
	interval time.Duration
}

// NewProgress writes to out, with a sign of life once per interval.
func NewProgress(out io.Writer, interval time.Duration) *Progress {
	return &Progress{out: out, interval: interval}
}

// activity is one build being reported on. As a writer it takes what `go build
// -v` prints: the packages that are compiled are counted, the rest is kept.
type activity struct {
	progress *Progress
	title    string
	started  time.Time
	quit     chan struct{}
	stopped  sync.WaitGroup

	mu       sync.Mutex
	partial  []byte
	packages int
	kept     []string
}

// start prints the first line, "building TITLE (NOTE)".
func (p *Progress) start(title, note string) *activity {
	_, _ = fmt.Fprintf(p.out, "building %s (only once; %s)\n", title, note)
	a := &activity{progress: p, title: title, started: time.Now(), quit: make(chan struct{})}
	a.stopped.Go(func() {
		ticker := time.NewTicker(p.interval)
		defer ticker.Stop()
		for {
			select {
			case <-a.quit:
				return
			case <-ticker.C:
				a.beat()
			}
		}
	})
	return a
}

func (a *activity) beat() {
	a.mu.Lock()
	packages := a.packages
	a.mu.Unlock()
	_, _ = fmt.Fprintf(a.progress.out, "  still building %s: %s, %d packages compiled\n", a.title, a.elapsed(), packages)
}

// finish prints the last line.
func (a *activity) finish(err error) {
	close(a.quit)
	a.stopped.Wait()
	outcome := "built"
	if err != nil {
		outcome = "could not build"
	}
	_, _ = fmt.Fprintf(a.progress.out, "%s %s in %s\n", outcome, a.title, a.elapsed())
}

func (a *activity) elapsed() time.Duration {
	return time.Since(a.started).Round(time.Second)
}

// Write implements io.Writer.
func (a *activity) Write(data []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.partial = append(a.partial, data...)
	for {
		line, rest, found := bytes.Cut(a.partial, []byte("\n"))
		if !found {
			return len(data), nil
		}
		a.partial = rest
		a.take(string(line))
	}
}

func (a *activity) take(line string) {
	// `go build -v` names one import path a line; the compiler's complaints
	// have a position or a "# package" title.
	if line != "" && !strings.ContainsAny(line, " \t:") {
		a.packages++
		return
	}
	a.kept = append(a.kept, line)
}

// output is what was printed besides the names of packages.
func (a *activity) output() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := a.kept
	if len(a.partial) > 0 {
		lines = append(slices.Clip(lines), string(a.partial))
	}
	return strings.Join(lines, "\n")
}
