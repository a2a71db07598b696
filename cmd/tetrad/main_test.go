package main

import (
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
