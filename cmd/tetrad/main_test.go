package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary answer to the name tetrad, so that scripts run the real program, children
// and exit codes included.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tetrad": main})
}

// TestScripts runs the scripts that need no network.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		Cmds:               scriptCommands,
		Setup:              cleanEnvironment,
		RequireUniqueNames: true,
	})
}

// cleanEnvironment gives a script a home of its own, and nothing of the caller's settings.
func cleanEnvironment(env *testscript.Env) error {
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o755)
}

// freeBasePort finds a base port whose block of 50 ports (a network of four with room to spare) is unused
// right now. It is a guess by nature: somebody else may take a port before the test does.
func freeBasePort() (int, error) {
	for range 200 {
		base := 20000 + 50*rand.IntN(240) // below the range the kernel hands out for outgoing connections
		if blockIsFree(base) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("found no block of free ports")
}

func blockIsFree(base int) bool {
	for port := base; port < base+50; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}
