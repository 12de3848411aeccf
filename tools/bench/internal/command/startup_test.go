package command

import (
	"os"
	"path/filepath"
	"testing"
)

func script(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "provider")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+content), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartUp(t *testing.T) {
	ready := script(t, `test -n "$TF_PLUGIN_MAGIC_COOKIE" && echo '1|6|unix|/socket|grpc|' && exec sleep 600`)
	if taken, err := StartUp(t.Context(), ready, t.TempDir(), 3); err != nil || taken <= 0 {
		t.Errorf("StartUp = %s, %v", taken, err)
	}
	if _, err := StartUp(t.Context(), script(t, "exit 1"), t.TempDir(), 1); err == nil {
		t.Error("a provider that ends at once has started")
	}
}
