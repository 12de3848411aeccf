package cluster

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestStateSurvivesBeingWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	if state, err := readState(path); state != nil || err != nil {
		t.Fatalf("state of nothing = %v, %v", state, err)
	}
	want := &State{
		Name: "demo", Phase: PhaseReady, Supervisor: 12, Version: "v1.2.3", Server: "https://127.0.0.1:1",
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Components: []ComponentState{
			{Name: "etcd", PID: 13, Address: "https://127.0.0.1:2", Log: "etcd.log"},
			{Name: "kwok", PID: 14, Log: "kwok.log", Exited: &Exit{Reason: "signal: killed", Time: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)}},
		},
	}
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readState(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("state = %+v, %v; want %+v", got, err, want)
	}
	if dead := got.dead(); dead == nil || dead.Name != "kwok" {
		t.Errorf("dead = %+v, want kwok", dead)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("files = %v, %v; want the state alone", entries, err)
	}

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readState(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error for a broken file = %v, want one that names it", err)
	}
}

// Not parallel: the clusters of other tests could take the ports.
func TestPortsAreDifferentAndFree(t *testing.T) {
	ports, err := pickPorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %d comes twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			t.Errorf("port %d: %v", port, err)
			continue
		}
		_ = listener.Close()
	}
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a line that is thrown away\n", 5000)
	for name, test := range map[string]struct {
		log, want string
	}{
		"of an empty log":               {"", ""},
		"of a short log":                {"one\ntwo\n", "one\ntwo"},
		"without a newline at the end":  {"one\ntwo", "one\ntwo"},
		"keeps the last lines":          {"1\n2\n3\n4\n", "2\n3\n4"},
		"of a log larger than is read":  {long + "x\ny\nz\n", "x\ny\nz"},
		"keeps empty lines in between":  {"1\n\n3\n", "1\n\n3"},
		"drops the empty lines at last": {"1\n2\n\n\n", "1\n2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(test.log), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := logTail(path, 3); got != test.want {
				t.Errorf("tail = %q, want %q", got, test.want)
			}
		})
	}
	if got := logTail("absent", 3); !strings.Contains(got, "absent") {
		t.Errorf("tail of a log that is not there = %q", got)
	}
}

func TestComponentErrorShowsTheLog(t *testing.T) {
	t.Parallel()
	err := &ComponentError{Component: "etcd", Reason: "ended with exit status 1", Tail: "a\nb"}
	if got, want := err.Error(), "etcd: ended with exit status 1; the end of its log:\n    a\n    b"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}
