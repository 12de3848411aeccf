package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/command"
	"github.com/mira-cluster/terraform-provider-mira/tools/bench/internal/report"
)

// starts is how often the provider is started to measure its start-up time.
const starts = 11

// settings describes the machine, the cluster and the programs.
func (b *bench) settings(ctx context.Context) ([]report.Setting, error) {
	cli, err := b.cli.Version(ctx)
	if err != nil {
		return nil, err
	}
	kubernetes, err := b.cluster.Version()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(b.options.provider)
	if err != nil {
		return nil, err
	}
	startUp, err := command.StartUp(ctx, b.options.provider, b.directory, starts)
	if err != nil {
		return nil, err
	}
	return []report.Setting{
		{Key: "goos", Value: runtime.GOOS},
		{Key: "goarch", Value: runtime.GOARCH},
		{Key: "cpu", Value: fmt.Sprintf("%s, %d cores", cpuModel(readFile("/proc/cpuinfo")), runtime.NumCPU())},
		{Key: "memory", Value: report.Size(totalMemory(readFile("/proc/meminfo")))},
		{Key: "load", Value: loadAverage(readFile("/proc/loadavg"))},
		{Key: "cli", Value: cli},
		{Key: "kubernetes", Value: kubernetes},
		{
			Key:   "provider",
			Value: fmt.Sprintf("%s, %s, binary of %s", b.options.source, buildVersion(b.options.provider), report.Size(info.Size())),
		},
		{Key: "start-up", Value: fmt.Sprintf("%d ms until the provider listens", startUp.Milliseconds())},
		{Key: "go", Value: runtime.Version()},
	}, nil
}

// readFile returns the content of a file, or nil if it cannot be read, as on other systems than Linux.
func readFile(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}

// cpuModel finds the processor in /proc/cpuinfo.
func cpuModel(cpuinfo []byte) string {
	if model := field(cpuinfo, "model name"); model != "" {
		return model
	}
	return "unknown processor"
}

// totalMemory finds the bytes of memory in /proc/meminfo. It returns 0 if they are
// unknown.
func totalMemory(meminfo []byte) int64 {
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(field(meminfo, "MemTotal"), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes * 1024
}

// loadAverage returns the load of the last minute: what else the machine did.
func loadAverage(loadavg []byte) string {
	average, _, _ := strings.Cut(string(loadavg), " ")
	if average == "" {
		return "unknown"
	}
	return average + " at the start"
}

// field finds a line "name : value".
func field(data []byte, name string) string {
	scanner := bufio.NewScanner(bytes.NewReader(data))
	for scanner.Scan() {
		key, value, ok := strings.Cut(scanner.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// buildVersion returns the version and the Go version that are recorded in a Go binary.
func buildVersion(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "version unknown"
	}
	settings := make(map[string]string)
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	version := info.Main.Version
	if revision := settings["vcs.revision"]; revision != "" {
		version = "commit " + revision[:min(len(revision), 12)]
		if settings["vcs.modified"] == "true" {
			version += " with changes"
		}
	}
	return version + ", " + info.GoVersion
}
