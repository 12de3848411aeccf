package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// startTimeout is how long a provider may take until it is ready.
const startTimeout = time.Minute

// handshake is the variable by which a provider knows that a CLI runs it. See
// https://github.com/hashicorp/terraform/blob/main/internal/plugin/serve.go.
const handshake = "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"

// StartUp returns how long a provider takes from its start until it reports where it
// listens: the median of a number of starts. A CLI waits for that several times in each
// command. The provider's temporary files are in the directory.
func StartUp(ctx context.Context, binary, directory string, times int) (time.Duration, error) {
	var taken []time.Duration
	for range times {
		duration, err := startOnce(ctx, binary, directory)
		if err != nil {
			return 0, fmt.Errorf("start %s: %w", binary, err)
		}
		taken = append(taken, duration)
	}
	slices.Sort(taken)
	return taken[len(taken)/2], nil
}

func startOnce(ctx context.Context, binary, directory string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	provider := exec.CommandContext(ctx, binary)
	provider.Env = append(environment(os.Environ()), handshake, "PLUGIN_PROTOCOL_VERSIONS=5,6", "TMPDIR="+directory)
	output, err := provider.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := provider.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	taken := time.Since(began)
	cancel()
	_ = provider.Wait() // it was killed
	if err != nil || line == "" {
		return 0, errors.Join(errors.New("it does not report where it listens"), err)
	}
	return taken, nil
}
