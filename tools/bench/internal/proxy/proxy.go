// Package proxy counts the bytes on the connections between a provider and an API
// server as they are on the wire, encrypted and possibly compressed. It can put the
// server further away.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// drainInterval is how often [Proxy.Drain] checks whether connections have ended.
const drainInterval = 5 * time.Millisecond

// Proxy forwards TCP connections and counts their bytes. It does not read them, so TLS
// is end to end.
type Proxy struct {
	listener net.Listener
	target   string
	dialer   net.Dialer
	ctx      context.Context
	running  sync.WaitGroup
	open     atomic.Int64
	bytes    atomic.Int64
	delay    atomic.Int64 // nanoseconds
}

// Start starts a proxy for an address, on a free port of loopback. It ends with
// [Proxy.Close] or with ctx.
func Start(ctx context.Context, target string) (*Proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: listener, target: target, ctx: ctx}
	p.running.Go(p.serve)
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	return p, nil
}

// Address returns the address of the proxy.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// SetDelay sets how much later than without the proxy the server gets what the provider
// sends: each round trip takes so much longer. It holds for what is sent from then on.
func (p *Proxy) SetDelay(delay time.Duration) { p.delay.Store(int64(delay)) }

// Close stops listening, and waits until the open connections have ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Drain waits until no connection is open, and returns the bytes, in both directions, of
// all connections since its last call.
func (p *Proxy) Drain(ctx context.Context) (int64, error) {
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	for p.open.Load() > 0 {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d connections to the API server are still open: %w", p.open.Load(), ctx.Err())
		case <-ticker.C:
		}
	}
	return p.bytes.Swap(0), nil
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.open.Add(1)
		p.running.Go(func() {
			defer p.open.Add(-1)
			p.pass(client)
		})
	}
}

func (p *Proxy) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := p.dialer.DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(p.ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer stop()

	// When one side closes its direction, so does the proxy, and goes on with the other
	// direction.
	var directions sync.WaitGroup
	for i, pair := range [][2]net.Conn{{server, client}, {client, server}} {
		transfer := io.Copy
		if isRequest := i == 0; isRequest {
			transfer = p.copyLater
		}
		directions.Go(func() {
			copied, err := transfer(pair[0], pair[1])
			p.bytes.Add(copied)
			if tcp, ok := pair[0].(*net.TCPConn); ok && err == nil {
				err = tcp.CloseWrite()
			}
			if err != nil {
				_ = client.Close()
				_ = server.Close()
			}
		})
	}
	directions.Wait()
}

// chunk is a piece of what was sent, and when it is to arrive.
type chunk struct {
	data []byte
	due  time.Time
}

const (
	chunkBytes = 32 << 10
	// chunksUnderWay bounds how much is under way on a connection: more than any provider
	// sends within a delay.
	chunksUnderWay = 4096
)

// copyLater copies what is sent, each piece after the delay. Pieces that are sent together
// arrive together: it is the distance that grows, not the bandwidth that shrinks.
func (p *Proxy) copyLater(to io.Writer, from io.Reader) (int64, error) {
	underWay := make(chan chunk, chunksUnderWay)
	var readErr error
	go func() {
		defer close(underWay)
		for {
			buffer := make([]byte, chunkBytes)
			n, err := from.Read(buffer)
			if n > 0 {
				underWay <- chunk{data: buffer[:n], due: time.Now().Add(time.Duration(p.delay.Load()))}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					readErr = err
				}
				return
			}
		}
	}()
	var copied int64
	var writeErr error
	for c := range underWay {
		if writeErr != nil {
			continue // so that the reader ends
		}
		<-time.After(time.Until(c.due))
		var n int
		n, writeErr = to.Write(c.data)
		copied += int64(n)
	}
	return copied, errors.Join(readErr, writeErr)
}
