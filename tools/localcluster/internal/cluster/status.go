package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// healthTimeout bounds one check of the health of a cluster. Healthy components
// answer in milliseconds; on a busy machine it may take seconds.
const healthTimeout = 30 * time.Second

// Status is the state of a cluster as a check found it.
type Status struct {
	// Name is the cluster's.
	Name string
	// Summary is the state in one word, or the reason why the cluster does not run.
	Summary string
	// Running is true if the supervisor lives and the start has succeeded.
	Running bool
	// State is what the supervisor wrote; nil if there is nothing.
	State *State
	// Components are in the order of their start; none if it does not run.
	Components []ComponentStatus
}

// ComponentStatus is the state of one component as a check found it.
type ComponentStatus struct {
	// Name and PID are those of the program and its process.
	Name string
	PID  int
	// Problem is empty if the component is healthy.
	Problem string
	// Tail is the end of the log of a component that has ended.
	Tail string
}

// Up reports whether the cluster runs and every component is healthy.
func (s *Status) Up() bool {
	if !s.Running {
		return false
	}
	for _, component := range s.Components {
		if component.Problem != "" {
			return false
		}
	}
	return true
}

// Status checks the cluster and every component of it.
func (c *Cluster) Status(ctx context.Context) (*Status, error) {
	status := &Status{Name: c.Name}
	live, err := c.record().live()
	if err != nil {
		return nil, err
	}
	status.State, err = c.record().read()
	if err != nil {
		return nil, err
	}
	status.Running = live != nil && live.Phase == PhaseReady
	switch {
	case live == nil && status.State == nil:
		status.Summary = "not running"
		return status, nil
	case live == nil && status.State.Phase == PhaseFailed:
		status.Summary = "not running: the last start failed: " + status.State.Failure
		return status, nil
	case live == nil:
		status.Summary = "not running: its supervisor was killed"
		return status, nil
	case !status.Running:
		status.Summary = string(live.Phase)
		return status, nil
	}

	ctx, cancel := context.WithTimeoutCause(ctx, healthTimeout, fmt.Errorf("no answer within %s", healthTimeout))
	defer cancel()
	probe := health{keys: c.folder.keys()}
	status.Components = make([]ComponentStatus, len(status.State.Components))
	var checks sync.WaitGroup
	for i, component := range status.State.Components {
		checks.Go(func() { status.Components[i] = probe.status(ctx, status.State.Server, component) })
	}
	checks.Wait()
	status.Summary = "up"
	if !status.Up() {
		status.Summary = "degraded"
	}
	return status, nil
}

// status checks one component.
func (h health) status(ctx context.Context, server string, component ComponentState) ComponentStatus {
	status := ComponentStatus{Name: component.Name, PID: component.PID}
	if component.Exited != nil {
		status.Problem = fmt.Sprintf("ended with %s at %s", component.Exited.Reason, component.Exited.Time.Format(time.TimeOnly))
		status.Tail = logTail(component.Log, tailLines)
		return status
	}
	if err := h.check(ctx, server, component); err != nil {
		status.Problem = err.Error()
	}
	return status
}

// Check returns the state of the cluster, a *NotRunningError if it does not run,
// and a *ComponentError if one of its components has ended.
func (c *Cluster) Check() (*State, error) {
	state, err := c.record().running()
	if err != nil {
		return nil, err
	}
	if dead := state.dead(); dead != nil {
		return nil, newComponentError(dead.Name, "ended with "+dead.Exited.Reason, dead.Log)
	}
	return state, nil
}
