//go:build !linux

package deathsig

import "syscall"

// Attributes has nothing to ask for on this system.
func Attributes(syscall.Signal) *syscall.SysProcAttr { return nil }
