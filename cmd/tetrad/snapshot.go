package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/node"
)

func newSnapshot(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "List, export and restore snapshots of the state",
		Long: `A node makes a snapshot of the state every snapshots.interval blocks (app.toml), and keeps the newest few in
data/snapshots. Nodes that begin anew fetch them by themselves with 'tetrad start --state-sync'; these commands are
for those who carry them as files.`,
	}
	cmd.AddCommand(newSnapshotList(c), newSnapshotExport(c), newSnapshotRestore(c))
	return cmd
}

func newSnapshotList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the finished snapshots of a home",
		Long:  `List the finished snapshots of a home (--home DIR), whether its node runs or not.`,
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			config, err := node.Load(c.home, nil)
			if err != nil {
				return badConfig(err)
			}
			list, err := node.Snapshots(config)
			if err != nil {
				c.note("%v", err) // those that are whole are listed all the same
			}
			return c.show(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "There is no finished snapshot.")
					return
				}
				g := newGrid("height", "time", "chunks", "size", "leaves", "app hash").right(0, 2, 3, 4)
				for _, s := range list {
					g.add(fmt.Sprint(s.Height), s.Time, fmt.Sprint(s.Chunks), bytesText(int64(s.Bytes)), grouped(fmt.Sprint(s.Leaves)), s.AppHash.String())
				}
				g.write(w)
			})
		},
	}
}

func newSnapshotExport(c *cli) *cobra.Command {
	var height uint64
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write a snapshot into one file",
		Long: `Write a finished snapshot of a home (--home DIR) into one file, also while its node runs. Where there is none and
nothing runs on the home, the newest state of its ledger is exported.

The file needs no protection from changes: whoever restores it verifies every part.`,
		Args: names("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("height") && height == 0 {
				return usagef("--height must be at least 1")
			}
			if _, err := os.Lstat(args[0]); err == nil {
				return usagef("%s exists already", args[0])
			}
			config, err := node.Load(c.home, nil)
			if err != nil {
				return badConfig(err)
			}
			p := c.newAuditProgress()
			s, err := node.ExportSnapshot(cmd.Context(), config, height, args[0], p.show)
			p.stop()
			if err != nil {
				return snapshotError(err)
			}
			s.Path = args[0]
			return c.show(s, func(w io.Writer) { writeSnapshot(w, s) })
		},
	}
	cmd.Flags().Uint64Var(&height, "height", 0, "the `HEIGHT` of the snapshot (default: the newest)")
	return cmd
}

func newSnapshotRestore(c *cli) *cobra.Command {
	var servers []string
	var trust string
	cmd := &cobra.Command{
		Use:   "restore FILE --rpc URL,URL --trust HEIGHT:HASH",
		Short: "Fill the home of a node without blocks from a snapshot file",
		Long: `Fill a home (--home DIR) whose node has no blocks yet from a snapshot file, and prepare the node to go on with the
blocks that come after it.

What is trusted is the block that --trust names, and nothing else: from there on CometBFT's light client verifies
headers that it asks of two or more nodes (--rpc, their CometBFT RPC addresses), up to the one that holds the app
hash of the snapshot, and every part of the file is verified against that before it is written.
'tetrad status --trust' prints a block; make sure that it comes from somebody you trust.`,
		Args: names("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := restoreOptions(servers, trust)
			if err != nil {
				return err
			}
			config, err := node.Load(c.home, nil)
			if err != nil {
				return badConfig(err)
			}
			return c.restoreSnapshot(cmd.Context(), config, args[0], o)
		},
	}
	cmd.Flags().StringSliceVar(&servers, "rpc", nil, "CometBFT RPC `URL,URL` of two or more nodes (required)")
	cmd.Flags().StringVar(&trust, "trust", "", "`HEIGHT:HASH` of a block you trust (required)")
	return cmd
}

func restoreOptions(servers []string, trust string) (node.RestoreOptions, error) {
	var o node.RestoreOptions
	if len(servers) < 2 {
		return o, usagef("missing --rpc URL,URL: the CometBFT RPC addresses of two nodes or more")
	}
	if trust == "" {
		return o, usagef("missing --trust HEIGHT:HASH").next("'tetrad status --trust' prints one; ask somebody you trust")
	}
	var err error
	if o.TrustHeight, o.TrustHash, err = parseTrust(trust); err != nil {
		return o, err
	}
	o.Servers, err = rpcServers(servers)
	return o, err
}

func (c *cli) restoreSnapshot(ctx context.Context, config node.Config, path string, o node.RestoreOptions) error {
	p := c.newAuditProgress()
	o.Progress = p.show
	began := time.Now()
	s, err := node.RestoreSnapshot(ctx, config, path, o)
	p.stop()
	if err != nil {
		return snapshotError(err)
	}
	s.Path = path
	c.note("trusted: block %d, hash %s, and what follows from it", o.TrustHeight, o.TrustHash)
	c.note("restored in %s; 'tetrad start' goes on from height %d", age(time.Since(began)), s.Height)
	return c.show(s, func(w io.Writer) { writeSnapshot(w, s) })
}

// snapshotError gives a file that does not hold what it should its own exit code.
func snapshotError(err error) error {
	switch {
	case errors.Is(err, node.ErrBadSnapshot):
		return &failure{
			exit: exitProof, slug: "bad_snapshot", class: "proof", message: err.Error(),
			hint: "nothing of it was kept; export the snapshot again, from another node",
		}
	case errors.Is(err, node.ErrNoSnapshot):
		return &failure{
			exit: exitError, slug: "no_snapshot", class: "node", message: err.Error(),
			hint: "'tetrad snapshot list' shows what there is; nodes make one every snapshots.interval blocks",
		}
	}
	return err
}

func writeSnapshot(w io.Writer, s node.Snapshot) {
	fields(w, "file", s.Path, "height", fmt.Sprint(s.Height), "time", s.Time, "chunks", fmt.Sprint(s.Chunks),
		"size", bytesText(int64(s.Bytes)), "leaves", grouped(fmt.Sprint(s.Leaves)), "app hash", s.AppHash.String(),
		"snapshot hash", s.Hash.String())
}
