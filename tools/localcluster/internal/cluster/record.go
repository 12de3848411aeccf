package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/mira-cluster/terraform-provider-mira/tools/localcluster/internal/filelock"
)

// record is what a supervisor wrote about its cluster. The locks show whether the
// supervisor lives.
type record struct {
	folder folder
}

// read returns the state, whether the supervisor lives or not; nil if there is none.
func (r record) read() (*State, error) { return readState(r.folder.state()) }

// live returns the state if the supervisor lives, else nil.
func (r record) live() (*State, error) {
	held, err := filelock.Held(r.folder.supervisorLock())
	if err != nil || !held {
		return nil, err
	}
	state, err := r.read()
	if err != nil || state != nil {
		return state, err
	}
	return &State{Name: r.folder.name, Phase: PhaseStarting}, nil
}

// running returns the state of a cluster that is ready.
func (r record) running() (*State, error) {
	state, err := r.live()
	if err != nil {
		return nil, err
	}
	if state == nil || state.Phase != PhaseReady {
		return nil, &NotRunningError{Name: r.folder.name}
	}
	return state, nil
}

// settled returns the state of the cluster if its supervisor lives and the
// start has succeeded, else nil. A supervisor whose starter was killed is about
// to end, which is waited for.
func (r record) settled(ctx context.Context) (*State, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stopTimeout,
		fmt.Errorf("the supervisor of cluster %q neither gets ready nor ends", r.folder.name))
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		state, err := r.live()
		if err != nil || state == nil || state.Phase == PhaseReady {
			return state, err
		}
		select {
		case <-ctx.Done():
			return nil, nil // Cluster.clear will deal with it
		case <-ticker.C:
		}
	}
}
