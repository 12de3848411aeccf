package usage

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCollect(t *testing.T) {
	directory := t.TempDir()
	end, err := Begin(directory)
	if err != nil {
		t.Fatal(err)
	}
	other := `{"cpu": 2000000000, "peakMemory": 5, "processes": 1}`
	if err := os.WriteFile(filepath.Join(directory, "1.json"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Collect(ended, directory); err == nil {
		t.Error("a process that still runs was not waited for")
	}

	if err := end(Usage{CPU: time.Second, PeakMemory: 7, Processes: 1}); err != nil {
		t.Fatal(err)
	}
	got, err := Collect(t.Context(), directory)
	if want := (Usage{CPU: 3 * time.Second, PeakMemory: 7, Processes: 2}); err != nil || got != want {
		t.Errorf("Collect = %+v, %v; want %+v", got, err, want)
	}
	if got, err := Collect(t.Context(), directory); err != nil || got != (Usage{}) {
		t.Errorf("a second Collect = %+v, %v; want nothing", got, err)
	}
}
