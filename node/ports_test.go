package node

import (
	"math/rand/v2"
	"net"
	"testing"
)

// freePorts finds a base port from which all ports of a network are free. It stays below the ports that the
// system gives to outgoing connections, one of which could take a port between this look and its use. It
// holds the last port of each validator's ten, so that tests in other processes look elsewhere.
func freePorts(t *testing.T, validators int) int {
	t.Helper()
	for range 1000 {
		base := 10_000 + PortStep*rand.IntN(1000)
		if claim(t, base, validators) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func claim(t *testing.T, base, validators int) bool {
	var claims []net.Listener
	for i := range validators {
		from := base + i*PortStep
		l, err := net.Listen("tcp", localAddress(from, PortStep-1))
		if err == nil {
			claims = append(claims, l)
		}
		if err != nil || !allFree(from, portsUsed) {
			for _, l := range claims {
				_ = l.Close()
			}
			return false
		}
	}
	for _, l := range claims {
		t.Cleanup(func() { _ = l.Close() })
	}
	return true
}

func allFree(base, count int) bool {
	for port := base; port < base+count; port++ {
		if probe("", "tcp", localAddress(port, 0)) != nil || probe("", "udp", localAddress(port, 0)) != nil {
			return false
		}
	}
	return true
}
