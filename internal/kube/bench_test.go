package kube

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// liveObject returns an object of a client made from the sample template, as the
// server had it.
func liveObject(t testing.TB, resource string) *unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "managedfields", "testdata", "acme", resource+".json"))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return object
}

func BenchmarkDecodeItem(b *testing.B) {
	for _, kind := range clientKinds {
		b.Run(kind.kind, func(b *testing.B) {
			live := liveObject(b, kind.resource)
			data, err := json.Marshal(live.Object)
			if err != nil {
				b.Fatal(err)
			}
			ref := RefOf(live)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeItem(data, ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// putLive stores the objects of many clients as large as those of the sample
// template.
func (s *fakeServer) putLive(t testing.TB, count int) {
	for _, kind := range clientKinds {
		live := liveObject(t, kind.resource)
		live.SetName("mira-TOBENAMED")
		live.SetLabels(map[string]string{ownerLabel: "TOBENAMED"})
		data, err := json.Marshal(live.Object)
		if err != nil {
			t.Fatal(err)
		}
		for i := range count {
			s.putData(kind.resource, "mira-"+clientName(i), clientName(i), bytes.ReplaceAll(data, []byte("TOBENAMED"), []byte(clientName(i))))
		}
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// What a plan of five thousand clients holds in memory once all were read.
func TestBatcher_memory(t *testing.T) {
	const clients, most = 5000, 200 << 20
	server := newFakeServer()
	server.putLive(t, clients)
	batcher := NewBatcher(server.client(t))
	before := heap()
	readClients(t, batcher, 10, upTo(clients))
	held := heap() - before
	t.Logf("%d MiB are held after %d MiB of lists, %d requests", held>>20, server.bytes>>20, len(server.log))
	if held > most {
		t.Errorf("%d bytes are held, at most %d were expected", held, most)
	}
	runtime.KeepAlive(batcher)
	runtime.KeepAlive(server)
}
