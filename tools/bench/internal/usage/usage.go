// Package usage transfers the resource usage of a provider process from the program that
// runs it (tools/bench/meter) to the benchmark.
//
// It imports only the standard library: the meter is between the CLI and the provider,
// and must not add to what is measured.
package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// DirectoryVariable is the environment variable with the directory that meters
// write to.
const DirectoryVariable = "MIRA_BENCH_USAGE"

// Suffixes of the files that meters write: one while the process runs, the other
// when it has ended.
const (
	runningSuffix = ".running"
	endedSuffix   = ".json"
)

// RealName is the name of the real provider binary, in the meter's directory. A CLI does
// not mistake it for a provider.
const RealName = "metered"

// pollInterval is how often [Collect] checks for meters that have not ended.
const pollInterval = 10 * time.Millisecond

// Usage is the resource usage of one process or several.
type Usage struct {
	// CPU is the sum of user and system time.
	CPU time.Duration `json:"cpu"`
	// PeakMemory is the largest resident set of the largest process, in bytes.
	PeakMemory int64 `json:"peakMemory"`
	// Processes is the number of processes.
	Processes int `json:"processes"`
}

// Add returns the usage of both processes together.
func (u Usage) Add(other Usage) Usage {
	return Usage{
		CPU:        u.CPU + other.CPU,
		PeakMemory: max(u.PeakMemory, other.PeakMemory),
		Processes:  u.Processes + other.Processes,
	}
}

// Begin records in a directory that a process runs. The function that it returns records
// what the process has used at its end.
func Begin(directory string) (func(Usage) error, error) {
	running := filepath.Join(directory, strconv.Itoa(os.Getpid())+runningSuffix)
	if err := os.WriteFile(running, nil, 0o600); err != nil {
		return nil, err
	}
	return func(used Usage) error {
		data, err := json.Marshal(used)
		if err != nil {
			return err
		}
		if err := os.WriteFile(running, data, 0o600); err != nil {
			return err
		}
		return os.Rename(running, running[:len(running)-len(runningSuffix)]+endedSuffix)
	}, nil
}

// Collect waits until every process that is recorded in the directory has ended, adds up
// what they used, and empties the directory.
func Collect(ctx context.Context, directory string) (Usage, error) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		running, err := filepath.Glob(filepath.Join(directory, "*"+runningSuffix))
		if err != nil {
			return Usage{}, err
		}
		if len(running) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return Usage{}, fmt.Errorf("%d provider processes have not ended: %w", len(running), ctx.Err())
		case <-ticker.C:
		}
	}
	files, err := filepath.Glob(filepath.Join(directory, "*"+endedSuffix))
	if err != nil {
		return Usage{}, err
	}
	var total Usage
	var failed []error
	for _, file := range files {
		var used Usage
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &used)
		}
		failed = append(failed, err, os.Remove(file))
		total = total.Add(used)
	}
	return total, errors.Join(failed...)
}
