//go:build !linux

package main

import "syscall"

// childAttributes are those of any process: only Linux ties the life of a child to
// that of its parent.
func childAttributes() *syscall.SysProcAttr { return nil }
