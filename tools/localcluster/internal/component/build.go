package component

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/deathsig"
	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/filelock"
)

// Builder builds programs into a cache and finds them there.
type Builder struct {
	source   Source
	minor    string
	cache    string
	progress *Progress
	// command is exec.CommandContext, except in tests.
	command func(ctx context.Context, name string, args ...string) *exec.Cmd
}

// NewBuilder returns what builds the components that source pins, Kubernetes in
// the given minor version, into the folder cache.
func NewBuilder(source Source, minor, cache string, progress *Progress) *Builder {
	return &Builder{source: source, minor: minor, cache: cache, progress: progress, command: exec.CommandContext}
}

// BuildError is a build that the compiler or linker refused.
type BuildError struct {
	// Title names the component and its version.
	Title string
	// Output is what the go command said.
	Output string
	// Err is how the go command ended.
	Err error
}

// Error implements error.
func (e *BuildError) Error() string {
	return fmt.Sprintf("go build of %s: %v\n%s", e.Title, e.Err, e.Output)
}

// Unwrap returns how the go command ended.
func (e *BuildError) Unwrap() error { return e.Err }

// Paths returns the executables of the named programs, in their order, after
// building what is not in the cache.
func (b *Builder) Paths(ctx context.Context, names ...string) ([]string, error) {
	built := map[string]string{}
	paths := make([]string, 0, len(names))
	for _, name := range names {
		component, program, err := Find(name)
		if err != nil {
			return nil, err
		}
		if program == "" {
			return nil, fmt.Errorf("%q stands for several programs: name one of %s", name, strings.Join(component.Programs, ", "))
		}
		dir, ok := built[component.Name]
		if !ok {
			dir, err = b.Build(ctx, component)
			if err != nil {
				return nil, err
			}
			built[component.Name] = dir
		}
		paths = append(paths, filepath.Join(dir, program))
	}
	return paths, nil
}

// Version is the version of the component's module that is pinned.
func (b *Builder) Version(ctx context.Context, c Component) (string, error) {
	out, err := b.run(ctx, c, "mod", "edit", "-json")
	if err != nil {
		return "", err
	}
	return pinnedVersion(out, c.Module)
}

// Build returns the folder with the component's programs, after building them
// if they are not in the cache. Several processes may ask for the same at once:
// one builds, the others wait.
func (b *Builder) Build(ctx context.Context, c Component) (string, error) {
	version, err := b.Version(ctx, c)
	if err != nil {
		return "", err
	}
	// Asked in the component's folder, whose go.mod may call for another
	// toolchain than this program was built with.
	goVersion, err := b.run(ctx, c, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	flags, err := c.flags(version)
	if err != nil {
		return "", err
	}
	key, err := b.key(c, version, strings.TrimSpace(string(goVersion)), flags)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.cache, key)
	if complete(dir, c) {
		return dir, nil
	}

	if err := os.MkdirAll(b.cache, 0o700); err != nil {
		return "", err
	}
	title := c.Name + " " + version
	lock, err := filelock.Acquire(ctx, dir+".lock", func() {
		_, _ = fmt.Fprintf(b.progress.out, "waiting for another process that builds %s\n", title)
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Remove() }()
	if complete(dir, c) {
		return dir, nil
	}
	return dir, b.buildInto(ctx, c, title, dir, flags)
}

// buildInto builds in a folder of its own and renames that, so that what is in
// the cache is always whole.
func (b *Builder) buildInto(ctx context.Context, c Component, title, dir string, flags []string) error {
	// The lock is ours, so the process that left such a folder behind was killed.
	leftovers, err := filepath.Glob(filepath.Join(b.cache, "."+filepath.Base(dir)+"-*"))
	if err != nil {
		return err
	}
	for _, leftover := range leftovers {
		if err := os.RemoveAll(leftover); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(b.cache, "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	args := append([]string{"build", "-v"}, flags...)
	args = append(args, "-o", filepath.Join(work, c.executable()), c.Package)

	activity := b.progress.start(title, c.Note)
	command := b.goCommand(ctx, c, args...)
	command.Stdout, command.Stderr = activity, activity
	// The result is of no use when this process has been killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command.SysProcAttr = deathsig.Attributes(syscall.SIGINT)
	err = command.Run()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	activity.finish(err)
	if err != nil {
		return &BuildError{Title: title, Output: activity.output(), Err: err}
	}
	if err := link(work, c); err != nil {
		return err
	}
	if !complete(work, c) {
		return fmt.Errorf("go build of %s left no %s in %s", title, c.executable(), work)
	}
	// An incomplete folder can only be one that a user has emptied.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(work, dir)
}

// key names a build in the cache: whatever could change the result is in it.
func (b *Builder) key(c Component, version, goVersion string, flags []string) (string, error) {
	hash := sha256.New()
	dir := b.source.module(c, b.minor)
	sources, err := sourcesBelow(dir)
	if err != nil {
		return "", err
	}
	for _, name := range append([]string{"go.mod", "go.sum"}, sources...) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(hash, "%s %d\n", filepath.ToSlash(name), len(data))
		_, _ = hash.Write(data)
	}
	_, _ = fmt.Fprintf(hash, "%q %s %s/%s", flags, goVersion, runtime.GOOS, runtime.GOARCH)
	return fmt.Sprintf("%s-%s-%s", c.Name, version, hex.EncodeToString(hash.Sum(nil))[:12]), nil
}

// sourcesBelow lists the Go files of a component, and the files of the modules
// within its folder that replace others, as paths relative to the folder.
func sourcesBelow(dir string) ([]string, error) {
	var sources []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		isOwnModule := filepath.Dir(name) == "."
		if filepath.Ext(name) == ".go" || entry.Name() == "go.mod" && !isOwnModule {
			sources = append(sources, name)
		}
		return err
	})
	return sources, err
}

func (b *Builder) run(ctx context.Context, c Component, args ...string) ([]byte, error) {
	command := b.goCommand(ctx, c, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("localcluster builds its programs with Go, and there is no go command on PATH: %w", err)
		}
		return nil, fmt.Errorf("go %s in %s: %w: %s", strings.Join(args, " "), command.Dir, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

func (b *Builder) goCommand(ctx context.Context, c Component, args ...string) *exec.Cmd {
	command := b.command(ctx, "go", args...)
	command.Dir = b.source.module(c, b.minor)
	command.Env = append(os.Environ(),
		"CGO_ENABLED=0",
		// The programs run here, whatever the caller cross-compiles for.
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH,
		// A workspace would mix these modules with the others of the checkout.
		"GOWORK=off",
		// The go.mod files decide, also where Go is set up to stay with what is installed. Otherwise a
		// cluster that is started without make would build everything once more.
		"GOTOOLCHAIN=auto",
		// The compiler's own garbage collection is a quarter of a build's time.
		"GOGC=off", "GOMEMLIMIT=2GiB",
	)
	// The go command ends its compilers when it is interrupted.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	return command
}

func pinnedVersion(modJSON []byte, module string) (string, error) {
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(modJSON, &mod); err != nil {
		return "", fmt.Errorf("read the answer of go mod edit: %w", err)
	}
	for _, require := range mod.Require {
		if require.Path == module {
			return require.Version, nil
		}
	}
	return "", fmt.Errorf("go.mod does not require %s", module)
}

// link makes the names by which an executable of several programs is called.
func link(dir string, c Component) error {
	for _, program := range c.Programs {
		if program == c.executable() {
			continue
		}
		if err := os.Symlink(c.executable(), filepath.Join(dir, program)); err != nil {
			return err
		}
	}
	return nil
}

func complete(dir string, c Component) bool {
	for _, program := range c.Programs {
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o100 == 0 {
			return false
		}
	}
	return true
}
