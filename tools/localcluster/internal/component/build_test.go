package component

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The test binary stands in for the go command when this variable is set; it
// appends a line to the file that it names for every build.
const fakeGoLog = "LOCALCLUSTER_FAKE_GO_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(fakeGoLog); log != "" {
		if err := fakeGo(log, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func fakeGo(log string, args []string) error {
	switch args[0] {
	case "mod":
		fmt.Println(`{"Require": [{"Path": "example.com/thing", "Version": "v1.2.3"}]}`)
		return nil
	case "env":
		fmt.Println("go1.99.0 " + os.Getenv("GOTOOLCHAIN"))
		return nil
	}
	file, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(file, strings.Join(args, " ")); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "example.com/thing/internal/a")
	fmt.Fprintln(os.Stderr, "example.com/thing")
	if _, err := os.Stat("broken"); err == nil {
		return errors.New("# example.com/thing\nmain.go:1:1: this does not compile")
	}
	output := args[slices.Index(args, "-o")+1]
	return os.WriteFile(output, []byte("a program"), 0o700)
}

var thing = Component{
	Name:     "thing",
	Module:   "example.com/thing",
	Package:  "example.com/thing/cmd/thing",
	Programs: []string{"thing"},
	Note:     "in no time",
}

// fixture is a source tree with one component, and what is built from it.
type fixture struct {
	module, cache, log string
	output             syncBuffer
}

func newFixture(t *testing.T) (*fixture, *Builder) {
	t.Helper()
	root := t.TempDir()
	f := &fixture{
		module: filepath.Join(root, "components", "thing"),
		cache:  filepath.Join(root, "cache"),
		log:    filepath.Join(root, "log"),
	}
	if err := os.MkdirAll(f.module, 0o700); err != nil {
		t.Fatal(err)
	}
	f.write(t, "go.mod", "module example.com/pin\n")
	f.write(t, "go.sum", "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeGoLog, f.log)
	builder := NewBuilder(Source(root), DefaultMinor, f.cache, NewProgress(&f.output, time.Hour))
	builder.command = func(ctx context.Context, _ string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, self, args...)
	}
	return f, builder
}

func (f *fixture) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.module, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// builds counts how often the compiler ran.
func (f *fixture) builds(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(f.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestBuildHappensOnce(t *testing.T) {
	f, builder := newFixture(t)
	first, err := builder.Build(t.Context(), thing)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(first, "thing")); err != nil || string(data) != "a program" {
		t.Errorf("program = %q, %v", data, err)
	}
	if got := filepath.Base(first); !strings.HasPrefix(got, "thing-v1.2.3-") {
		t.Errorf("folder = %s, want the name and version in it", got)
	}
	second, err := builder.Build(t.Context(), thing)
	if err != nil || second != first || f.builds(t) != 1 {
		t.Errorf("second Build = %s, %v, after %d builds; want %s after 1", second, err, f.builds(t), first)
	}
	entries, err := os.ReadDir(f.cache)
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, %v; want the one folder", entries, err)
	}
	out := f.output.String()
	if !strings.HasPrefix(out, "building thing v1.2.3 (only once; in no time)\n") || !strings.Contains(out, "\nbuilt thing v1.2.3 in ") {
		t.Errorf("output = %q", out)
	}
}

func TestOneExecutableGoesBySeveralNames(t *testing.T) {
	_, builder := newFixture(t)
	several := thing
	several.Programs = []string{"first", "second"}
	dir, err := builder.Build(t.Context(), several)
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Stat(filepath.Join(dir, "thing"))
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range several.Programs {
		t.Run(program, func(t *testing.T) {
			info, err := os.Stat(filepath.Join(dir, program))
			if err != nil || !os.SameFile(info, executable) {
				t.Errorf("%s is not the executable: %v", program, err)
			}
		})
	}
}

func TestConcurrentBuildsShareOne(t *testing.T) {
	f, builder := newFixture(t)
	var wait sync.WaitGroup
	dirs := make([]string, 4)
	for i := range dirs {
		wait.Go(func() {
			var err error
			if dirs[i], err = builder.Build(t.Context(), thing); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if f.builds(t) != 1 || len(slices.Compact(dirs)) != 1 {
		t.Errorf("%d builds, folders %v; want one of each", f.builds(t), dirs)
	}
}

func TestBuildReplacesAnIncompleteFolderAndLeftovers(t *testing.T) {
	f, builder := newFixture(t)
	dir, err := builder.Build(t.Context(), thing)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "thing")); err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(f.cache, "."+filepath.Base(dir)+"-123")
	if err := os.Mkdir(leftover, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := builder.Build(t.Context(), thing); err != nil {
		t.Fatal(err)
	}
	if f.builds(t) != 2 {
		t.Errorf("%d builds, want 2", f.builds(t))
	}
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed build left is still there: %v", err)
	}
}

func TestFailedBuildShowsTheCompilerAndLeavesNothing(t *testing.T) {
	f, builder := newFixture(t)
	f.write(t, "broken", "")
	_, err := builder.Build(t.Context(), thing)
	var failed *BuildError
	if !errors.As(err, &failed) || failed.Title != "thing v1.2.3" {
		t.Fatalf("Build = %v, want a BuildError", err)
	}
	if got, want := failed.Output, "# example.com/thing\nmain.go:1:1: this does not compile"; got != want {
		t.Errorf("output = %q, want %q: the errors without the names of packages", got, want)
	}
	if entries, err := os.ReadDir(f.cache); err != nil || len(entries) != 0 {
		t.Errorf("the cache holds %v, %v; want nothing", entries, err)
	}
	if out := f.output.String(); !strings.Contains(out, "could not build thing v1.2.3") {
		t.Errorf("output = %q", out)
	}
}

func TestPathsOfUnknownOrSeveralProgramsAreRefused(t *testing.T) {
	_, builder := newFixture(t)
	_, err := builder.Paths(t.Context(), "nonsense")
	if _, unknown := errors.AsType[*UnknownError](err); !unknown {
		t.Errorf("for an unknown name: %v", err)
	}
	if _, err := builder.Paths(t.Context(), "kubernetes"); err == nil || !strings.Contains(err.Error(), "kube-scheduler") {
		t.Errorf("for a name that stands for several: %v", err)
	}
}

func TestCallersToolchainDoesNotMatter(t *testing.T) {
	f, builder := newFixture(t)
	for _, setting := range []string{"auto", "local"} {
		t.Setenv("GOTOOLCHAIN", setting)
		if _, err := builder.Build(t.Context(), thing); err != nil {
			t.Fatal(err)
		}
	}
	if builds := f.builds(t); builds != 1 {
		t.Errorf("%d builds, want 1", builds)
	}
}

func TestKeyDependsOnAllThatMatters(t *testing.T) {
	f, builder := newFixture(t)
	key := func(version, goVersion string, flags ...string) string {
		t.Helper()
		key, err := builder.key(thing, version, goVersion, flags)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	base := key("v1", "go1", "-a", "-b")
	if again := key("v1", "go1", "-a", "-b"); again != base {
		t.Errorf("the same input leads to %s and %s", base, again)
	}
	others := map[string]string{
		"another version": key("v2", "go1", "-a", "-b"),
		"another go":      key("v1", "go2", "-a", "-b"),
		"another flag":    key("v1", "go1", "-a", "-c"),
		"flags run on":    key("v1", "go1", "-a -b"),
	}
	f.write(t, "go.sum", "x")
	others["another go.sum"] = key("v1", "go1", "-a", "-b")
	f.write(t, "go.mod", "module example.com/other\n")
	others["another go.mod"] = key("v1", "go1", "-a", "-b")
	f.write(t, "main.go", "package main\n")
	others["a source file"] = key("v1", "go1", "-a", "-b")
	f.write(t, "main.go", "package main\n\nfunc main() {}\n")
	others["another source file"] = key("v1", "go1", "-a", "-b")
	if err := os.MkdirAll(filepath.Join(f.module, "stubs", "s3"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write(t, "stubs/s3/go.mod", "module example.com/s3\n")
	others["a module that replaces another"] = key("v1", "go1", "-a", "-b")
	f.write(t, "stubs/s3/s3.go", "package s3\n")
	others["a source file of that"] = key("v1", "go1", "-a", "-b")
	seen := map[string]string{base: "the base"}
	for name, key := range others {
		if before, dup := seen[key]; dup {
			t.Errorf("%s leads to the same key as %s", name, before)
		}
		seen[key] = name
	}
}

func TestProgressShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		activity := NewProgress(&out, 30*time.Second).start("kubernetes v1", "takes a while")
		_, _ = fmt.Fprint(activity, "k8s.io/api/core/v1\ngo: downloading k8s.io/api v0.1.0\nk8s.io/cli")
		time.Sleep(45 * time.Second) //nolint:forbidigo // the clock is the test's own
		_, _ = fmt.Fprint(activity, "ent-go\n")
		time.Sleep(30 * time.Second) //nolint:forbidigo // the clock is the test's own
		activity.finish(nil)
		want := `building kubernetes v1 (only once; takes a while)
  still building kubernetes v1: 30s, 1 packages compiled
  still building kubernetes v1: 1m0s, 2 packages compiled
built kubernetes v1 in 1m15s
`
		if got := out.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		if got := activity.output(); got != "go: downloading k8s.io/api v0.1.0" {
			t.Errorf("output = %q", got)
		}
	})
}
