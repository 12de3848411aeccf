// Package filelock guards directories that several processes share.
//
// A lock is an flock(2) on a file. The kernel drops it when the last process
// that holds the open file ends, whatever ended it, so that a lock
// also shows whether one of them is alive, without relying on process numbers,
// which are reused. A lock file can be handed down to child processes, which
// then hold the lock as well.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// pollInterval is how often a waiting Acquire tries again: flock has no call that
// waits and can be cancelled.
const pollInterval = 50 * time.Millisecond

// HeldError says that another process holds the lock.
type HeldError struct {
	// Path is the lock file.
	Path string
}

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is locked by another process", e.Path)
}

// Lock is a held lock.
type Lock struct {
	file *os.File
}

// TryAcquire takes the lock or returns a *HeldError at once. The file is
// created if need be; its directory must exist.
func TryAcquire(path string) (*Lock, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, &HeldError{Path: path}
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// The former holder may have removed the file between open and flock;
		// then this lock guards a file that no other process will open.
		same, err := isCurrent(file, path)
		if err != nil {
			_ = file.Close()
			return nil, err
		}
		if same {
			return &Lock{file: file}, nil
		}
		_ = file.Close()
	}
}

// Acquire takes the lock, waiting for it until ctx ends. onWait, if not nil,
// is called once if another process holds the lock.
func Acquire(ctx context.Context, path string, onWait func()) (*Lock, error) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		lock, err := TryAcquire(path)
		var held *HeldError
		if err == nil || !errors.As(err, &held) {
			return lock, err
		}
		if onWait != nil {
			onWait()
			onWait = nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Held reports whether some process holds the lock; a file that does not exist
// is not held.
func Held(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	err = flock(file, syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// WaitReleased returns when no process holds the lock any more, or when ctx ends.
// It waits for the holders of the file that exists now, also if they remove it
// meanwhile.
func WaitReleased(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := flock(file, syscall.LOCK_SH|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the processes that hold %s: %w", filepath.Base(path), context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// File is the locked file; a child process that inherits it holds the lock too.
func (l *Lock) File() *os.File { return l.file }

// Release releases the lock and leaves the file.
func (l *Lock) Release() error { return l.file.Close() }

// Remove deletes the file and then releases the lock.
func (l *Lock) Remove() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}

func isCurrent(file *os.File, path string) (bool, error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(opened, named), nil
}

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
