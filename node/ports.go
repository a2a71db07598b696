package node

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	cmtrpc "github.com/cometbft/cometbft/rpc/jsonrpc/server"
)

// tcpAddress takes the host:port out of CometBFT's tcp://host:port.
func tcpAddress(laddr string) (string, error) {
	address := strings.TrimPrefix(laddr, "tcp://")
	if strings.Contains(address, "://") {
		return "", fmt.Errorf("%q is not a tcp address", laddr)
	}
	return address, checkAddress(address)
}

// listen opens a TCP port for so many connections at once, and says what an operator can do when it is
// taken.
func listen(key, address string, connectionsMax int) (net.Listener, error) {
	l, err := cmtrpc.Listen("tcp://"+address, connectionsMax)
	if err == nil {
		return l, nil
	}
	// That error hides its cause; opening the port once more brings it out.
	if probed := probe(key, "tcp", address); probed != nil {
		return nil, probed
	}
	return nil, fmt.Errorf("listen on %s (%s): %w", address, key, err)
}

// probe tells whether CometBFT will be able to open the p2p port. It opens the port itself, much later and
// with an error that names neither the key nor the file.
func probe(key, network, address string) error {
	if network == "udp" {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			return portError(key, network, address, err)
		}
		return conn.Close()
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return portError(key, network, address, err)
	}
	return l.Close()
}

// portError names the port, the key that chose it and how to find out who has it.
func portError(key, network, address string, err error) error {
	_, port, splitErr := net.SplitHostPort(address)
	if splitErr != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s (%s): %w", address, key, err)
	}
	list := "-ltnp"
	if network == "udp" {
		list = "-lunp"
	}
	return fmt.Errorf("port %s is taken: another program listens on %s; see who with `ss %s 'sport = :%s'`, "+
		"stop it, or choose another port with %s", port, address, list, port, key)
}
