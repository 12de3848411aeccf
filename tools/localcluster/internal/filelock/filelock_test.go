package filelock

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// The test binary under the name "holder" keeps an inherited lock until its
// input ends.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "holder" {
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		return
	}
	os.Exit(m.Run())
}

func acquire(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := TryAcquire(path)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func wantHeld(t *testing.T, path string, want bool) {
	t.Helper()
	if held, err := Held(path); err != nil || held != want {
		t.Errorf("Held = %v, %v; want %v", held, err, want)
	}
}

func TestLockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	wantHeld(t, path, false)
	lock := acquire(t, path)
	wantHeld(t, path, true)
	_, err := TryAcquire(path)
	var held *HeldError
	if !errors.As(err, &held) || held.Path != path {
		t.Errorf("second TryAcquire = %v, want a HeldError", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, path, false)
	lock = acquire(t, path)
	if err := lock.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Remove the file is there: %v", err)
	}
}

func TestAcquireWaitsForTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := acquire(t, path)
	waiting := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		second, err := Acquire(t.Context(), path, func() { close(waiting) })
		if err == nil {
			err = second.Release()
		}
		result <- err
	}()
	<-waiting
	// Removing the file must not leave the other with a lock on nothing.
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestAcquireGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock := acquire(t, path)
	defer func() { _ = lock.Release() }()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := Acquire(ctx, path, func() { cancel(enough) })
	if !errors.Is(err, enough) {
		t.Errorf("Acquire = %v, want %v", err, enough)
	}
}

func TestRemovedLocksExcludeEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, overlaps atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				lock, err := TryAcquire(path)
				if err != nil {
					continue
				}
				if inside.Add(1) > 1 {
					overlaps.Add(1)
				}
				runtime.Gosched()
				inside.Add(-1)
				if err := lock.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if overlaps.Load() > 0 {
		t.Errorf("the lock was held by several %d times", overlaps.Load())
	}
}

func TestChildHoldsTheLockItInherits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock := acquire(t, path)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "holder")
	child.ExtraFiles = []*os.File{lock.File()}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, path, true)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := WaitReleased(t.Context(), path); err != nil {
		t.Error(err)
	}
	wantHeld(t, path, false)
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func TestWaitReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := WaitReleased(t.Context(), path); err != nil {
		t.Errorf("of a file that does not exist: %v", err)
	}
	lock := acquire(t, path)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := WaitReleased(ctx, path); !errors.Is(err, enough) {
		t.Errorf("of a lock that is held: %v, want %v", err, enough)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if err := WaitReleased(t.Context(), path); err != nil {
		t.Errorf("of a lock that is free: %v", err)
	}
}
