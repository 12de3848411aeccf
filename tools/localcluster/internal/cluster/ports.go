package cluster

import (
	"errors"
	"net"
)

// loopback is the one address that components listen on.
const loopback = "127.0.0.1"

// pickPorts finds free TCP ports on loopback, all different. They are held
// until all are known and then released. Another process may take one before the
// component listens; that is noticed (portTaken), and the start is repeated with
// other ports.
func pickPorts(count int) (ports []int, err error) {
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			err = errors.Join(err, listener.Close())
		}
	}()
	for range count {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
