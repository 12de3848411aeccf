//go:build !linux

package command

import (
	"os/exec"
	"syscall"
)

// groupAttributes returns attributes that put a process into a group of its own.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func run(command *exec.Cmd) error { return command.Run() }
