package main

import (
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

// cli is one run of the program: its streams, and what flags, environment and client.toml say together.
type cli struct {
	in          io.Reader
	out, err    io.Writer
	interrupted func() bool // whether the user has asked to stop

	// Filled by settle before a command runs.
	command *cobra.Command // the one that runs
	v       *viper.Viper
	home    string // as asked for; see clientHome for where keys and client.toml are
	output  string // table or json

	onPartition string // what a node that is cut off is to do with transactions, from --on-partition

	client *clientHome // loaded on first use by loadClientHome
	fromFD []byte      // passphrase read from --passphrase-fd

	printed bool // a JSON document is on stdout, so that a failure after it goes to stderr alone
}

// newRoot assembles the command tree over one run's streams.
func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "tetrad",
		Short: "A ledger that four or more validators keep together, and any one of them may fail",
		Long: `Tetrad is a replicated ledger: validators order signed transactions, every one of them takes writes
and serves reads, and up to a third of them may crash, hang or lie.

  tetrad dev                                        a four-validator network on this machine
  tetrad tx transfer bob 12.50usd --from alice      send money
  tetrad query balance bob usd                      see it arrive`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return c.settle(cmd)
		},
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	addGlobalFlags(root)
	root.AddCommand(
		newDev(c), newTestnet(c), newInit(c), newGenesis(c), newStart(c),
		newKeys(c), newTx(c), newQuery(c), newStatus(c), newTopology(c), newEvents(c), newGateway(c), newBench(c),
		newSnapshot(c), newFsck(c), newReplay(c), newVerify(c),
		newConfig(c), newVersion(c), newExitCodes(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

func addGlobalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.String("home", "", "node or client home (env TETRAD_HOME; default ~/.tetrad)")
	f.String("node", "", "API `URL[,URL...]` to talk to, instead of client.toml's endpoints")
	f.StringP("output", "o", "table", "what is printed: `table|json`")
	f.String("log-level", "info", "debug, info, warn or error")
	f.String("log-format", "", "text or json (default text on a terminal, json otherwise)")
	f.Duration("timeout", 15*time.Second, "how long to wait for nodes before giving up")
}

// settle resolves the global settings with the precedence flag > environment > file > default. The file is
// read later and only by commands that need it, so that `version` works in a broken home.
func (c *cli) settle(cmd *cobra.Command) error {
	c.command = cmd
	c.v = viper.New()
	c.v.SetEnvPrefix("TETRAD")
	c.v.SetEnvKeyReplacer(strings.NewReplacer("-", "_", ".", "_"))
	c.v.AutomaticEnv()
	for _, name := range globalFlagNames {
		if err := c.v.BindPFlag(name, cmd.Flags().Lookup(name)); err != nil {
			return err
		}
	}
	if err := c.bindRouting(cmd); err != nil {
		return err
	}
	c.output = c.v.GetString("output")
	if c.output != "table" && c.output != "json" {
		bad := c.output
		c.output = "table"
		return usagef("output must be table or json, not %q", bad)
	}
	if d := c.v.GetDuration("timeout"); d <= 0 {
		return usagef("timeout must be a positive duration such as 15s, not %q", c.v.GetString("timeout"))
	}
	home, err := resolveHome(c.v.GetString("home"))
	if err != nil {
		return err
	}
	c.home = home
	c.applyClientOutput()
	return nil
}

var globalFlagNames = []string{"home", "node", "output", "log-level", "log-format", "timeout"}

// noteOutput finds the output format in the raw arguments when the flags could not be parsed, because an
// error about the flags must come in the format that was asked for, too.
func (c *cli) noteOutput(args []string) {
	if c.v != nil {
		return
	}
	for i, arg := range args {
		switch {
		case arg == "-ojson", arg == "-o=json", arg == "--output=json":
			c.output = "json"
		case (arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == "json":
			c.output = "json"
		}
	}
}

// strict makes every command refuse what it does not understand with a usage failure: unknown flags,
// unknown subcommands and a wrong number of arguments.
func strict(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(flagError)
	if cmd.HasSubCommands() && cmd.RunE == nil && cmd.Run == nil {
		cmd.Args = unknownSubcommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return asUsage(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func unknownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := "unknown command " + quote(cmd.CommandPath()+" "+args[0])
	fail := usagef("%s", message)
	if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
		return fail.next("did you mean %s?", quote(cmd.CommandPath()+" "+close[0]))
	}
	return fail.next("see %s", quote(cmd.CommandPath()+" --help"))
}

func flagError(cmd *cobra.Command, err error) error {
	if amount, ok := negativeAmount(err); ok {
		return usagef("amount %s is negative: an amount is more than zero, such as 12.50usd", quote(amount))
	}
	return asUsage(cmd, err)
}

// negativeAmount recognises -5usd, which the flag parser takes for a flag called "5".
func negativeAmount(err error) (string, bool) {
	text := err.Error()
	const lead = "unknown shorthand flag: '"
	if !strings.HasPrefix(text, lead) || len(text) <= len(lead) {
		return "", false
	}
	if digit := text[len(lead)]; digit != '.' && (digit < '0' || digit > '9') {
		return "", false
	}
	_, amount, found := strings.Cut(text, "' in ")
	return amount, found
}

func asUsage(cmd *cobra.Command, err error) error {
	if f, ok := err.(*failure); ok {
		return f
	}
	return usagef("%s", err.Error()).next("see %s", quote(cmd.CommandPath()+" --help"))
}

// quote marks words of a command line inside a sentence.
func quote(s string) string { return "'" + s + "'" }

// names says how many arguments a command takes, and complains with their names instead of a count.
func names(want ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(want) {
			return usagef("missing %s", strings.Join(want[len(args):], " ")).
				next("usage: %s", cmd.UseLine())
		}
		if len(args) > len(want) {
			return usagef("unexpected argument %q", args[len(want)]).next("usage: %s", cmd.UseLine())
		}
		return nil
	}
}
