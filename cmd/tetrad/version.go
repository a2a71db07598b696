package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the Makefile from git.
var version = ""

// buildVersion falls back to what Go recorded, for binaries that were not built by the Makefile.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func newVersion(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			document := struct {
				Version string `json:"version"`
				Engine  string `json:"engine"`
				Go      string `json:"go"`
				OS      string `json:"os"`
			}{buildVersion(), engineVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return c.show(document, func(w io.Writer) {
				fields(w, "tetrad", document.Version, "cometbft", document.Engine, "go", document.Go, "platform", document.OS)
			})
		},
	}
}

// engineVersion is the version of CometBFT that was linked in.
func engineVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/cometbft/cometbft" {
			return dep.Version
		}
	}
	return "unknown"
}
