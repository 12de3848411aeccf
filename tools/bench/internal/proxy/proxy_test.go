package proxy

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestProxyCountsBothDirections(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadAll(connection)
			_, _ = connection.Write(make([]byte, 1000))
			_ = connection.Close()
		}
	}()
	proxy, err := Start(t.Context(), server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range []int{10, 200} {
		connection, err := net.Dial("tcp", proxy.Address())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := connection.Write(make([]byte, sent)); err != nil {
			t.Fatal(err)
		}
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(connection); err != nil || len(answer) != 1000 {
			t.Fatalf("the answer has %d bytes (%v), want 1000", len(answer), err)
		}
		if err := connection.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := proxy.Drain(t.Context()); err != nil || got != int64(sent)+1000 {
			t.Errorf("Drain = %d, %v; want %d", got, err, sent+1000)
		}
	}
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", proxy.Address()); err == nil {
		t.Error("a closed proxy takes connections")
	}
}

func TestProxyDelays(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		connection, err := server.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(connection, connection)
		_ = connection.Close()
	}()
	proxy, err := Start(t.Context(), server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const delay, trips = 50 * time.Millisecond, 3
	proxy.SetDelay(delay)
	connection, err := net.Dial("tcp", proxy.Address())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range trips {
		word := []byte("ping")
		if _, err := connection.Write(word); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(connection, word); err != nil || string(word) != "ping" {
			t.Fatalf("the answer is %q: %v", word, err)
		}
	}
	if took := time.Since(began); took < trips*delay {
		t.Errorf("%d round trips took %s, with a delay of %s", trips, took, delay)
	}
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
}
