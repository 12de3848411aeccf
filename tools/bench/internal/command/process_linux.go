package command

import (
	"os/exec"
	"runtime"
	"syscall"
)

// groupAttributes returns attributes that put a process into a group of its own, and make
// the kernel interrupt it when this process is killed.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// run runs a command to its end on a thread of its own: for the kernel, the end of the
// thread that started a process is the end of the parent.
func run(command *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return command.Run()
}
