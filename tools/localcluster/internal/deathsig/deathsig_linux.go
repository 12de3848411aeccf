package deathsig

import "syscall"

// Attributes has the kernel send the signal to a child when its parent dies.
//
// To the kernel, the parent is the thread that started the child, not the process
// (golang/go#27505): the caller must have called runtime.LockOSThread, and must
// stay locked while the child is to live.
func Attributes(signal syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: signal}
}
