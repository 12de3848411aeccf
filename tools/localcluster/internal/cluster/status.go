package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/kubeapi"
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
	live, err := c.live()
	if err != nil {
		return nil, err
	}
	status.State, err = readState(c.statePath())
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
	status.Components = make([]ComponentStatus, len(status.State.Components))
	var checks sync.WaitGroup
	for i, component := range status.State.Components {
		checks.Go(func() { status.Components[i] = c.checkComponent(ctx, status.State, component) })
	}
	checks.Wait()
	status.Summary = "up"
	if !status.Up() {
		status.Summary = "degraded"
	}
	return status, nil
}

func (c *Cluster) checkComponent(ctx context.Context, state *State, component ComponentState) ComponentStatus {
	status := ComponentStatus{Name: component.Name, PID: component.PID}
	if component.Exited != nil {
		status.Problem = fmt.Sprintf("ended with %s at %s", component.Exited.Reason, component.Exited.Time.Format(time.TimeOnly))
		status.Tail = logTail(component.Log, tailLines)
		return status
	}
	if err := c.checkHealth(ctx, state, component); err != nil {
		status.Problem = err.Error()
	}
	return status
}

// checkHealth asks the component for its health. For kwok, which keeps the node
// ready, it checks the node too.
func (c *Cluster) checkHealth(ctx context.Context, state *State, component ComponentState) error {
	if component.Name == "kwok" {
		client, err := c.adminClient(state.Server)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := nodeReady(ctx, client); err != nil {
			return err
		}
	}
	path, credentials := c.health(component.Name)
	client, err := kubeapi.New(component.Address, credentials)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Check(ctx, path)
}

// Check returns the state of the cluster, a *NotRunningError if it does not run,
// and a *ComponentError if one of its components has ended.
func (c *Cluster) Check() (*State, error) {
	state, err := c.running()
	if err != nil {
		return nil, err
	}
	if dead := state.dead(); dead != nil {
		return nil, newComponentError(dead.Name, "ended with "+dead.Exited.Reason, dead.Log)
	}
	return state, nil
}
