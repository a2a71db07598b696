package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/crypto"
)

func newKeys(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and keep the keys you sign with",
	}
	add, imported, export := newKeysAdd(c), newKeysImport(c), newKeysExport(c)
	for _, sub := range []*cobra.Command{add, imported, export} {
		addPassphraseFlags(sub)
	}
	show, remove := newKeysShow(c), newKeysDelete(c)
	for _, sub := range []*cobra.Command{show, export, remove} {
		sub.ValidArgsFunction = completeFirst
	}
	cmd.AddCommand(add, imported, newKeysList(c), show, export, remove, newKeysService(c))
	addKeyringFlag(cmd)
	return cmd
}

func addKeyringFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().String("keyring", "", "age (encrypted, the default) or test (in clear, for dev networks only)")
}

// keyring opens the client home's keys. What kind of keys they are is said by the flag, by client.toml, or
// else they are encrypted.
func (c *cli) keyring() (*crypto.Keyring, error) {
	home, err := c.loadClientHome()
	if err != nil {
		return nil, err
	}
	kind := home.settings.Keyring
	if flag := c.command.Flags().Lookup("keyring"); flag != nil && flag.Value.String() != "" {
		kind = flag.Value.String()
	}
	if kind == "" {
		kind = crypto.KindAge
	}
	if kind != crypto.KindAge && kind != crypto.KindTest {
		return nil, usagef("keyring must be age or test, not %q", kind)
	}
	return crypto.OpenKeyring(home.path("keys"), kind)
}

// key finds a key by name, and says which keys there are if it is not one of them.
func (c *cli) key(ring *crypto.Keyring, name string) (crypto.KeyInfo, error) {
	if err := crypto.CheckKeyName(name); err != nil {
		return crypto.KeyInfo{}, usagef("%v", err)
	}
	info, err := ring.Get(name)
	if err == nil {
		return info, nil
	}
	if !errors.Is(err, crypto.ErrKeyNotFound) {
		return info, keyf("bad_key", "%v", err)
	}
	f := keyf("no_such_key", "there is no key called %q in %s", name, c.client.path("keys"))
	if list, _ := ring.List(); len(list) > 0 {
		known := make([]string, len(list))
		for i, k := range list {
			known[i] = k.Name
		}
		return info, f.next("keys here: %s", strings.Join(known, ", "))
	}
	return info, f.next("make one with %s", quote("tetrad keys add "+name))
}

// unlock gets a key to sign with.
func (c *cli) unlock(ring *crypto.Keyring, name string) (crypto.PrivateKey, error) {
	if _, err := c.key(ring, name); err != nil {
		return crypto.PrivateKey{}, err
	}
	private, err := ring.Unlock(name, c.passphrase)
	var told *failure
	if err == nil || errors.As(err, &told) || errors.Is(err, crypto.ErrWrongPassphrase) {
		return private, err
	}
	return private, keyf("bad_key", "%v", err)
}

func newKeysAdd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Make a new key and show its 24 words, once",
		Args:  names("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			words, err := crypto.NewMnemonic()
			if err != nil {
				return err
			}
			info, err := c.addFromWords(args[0], words, 0)
			if err != nil {
				return err
			}
			c.showWords(words)
			return c.showKey(info)
		},
	}
}

// addFromWords derives a key and stores it under a new name.
func (c *cli) addFromWords(name, words string, account uint32) (crypto.KeyInfo, error) {
	if err := crypto.CheckKeyName(name); err != nil {
		return crypto.KeyInfo{}, usagef("%v", err)
	}
	ring, err := c.keyring()
	if err != nil {
		return crypto.KeyInfo{}, err
	}
	private, err := crypto.KeyFromMnemonic(words, account)
	if err != nil {
		return crypto.KeyInfo{}, usagef("%v", err)
	}
	return ring.Add(name, private, c.newPassphrase)
}

// showWords prints the mnemonic for the one time it can be seen. It goes to stderr: stdout is for results
// that scripts store, and these words should not be stored by accident.
func (c *cli) showWords(words string) {
	list := strings.Fields(words)
	c.note("Write these %d words down, in order, and keep them where nobody else looks. Whoever has them has the", len(list))
	c.note("key; without them a lost key file is a lost account. They are shown this once.")
	c.note("")
	const perLine = 6
	for i := 0; i < len(list); i += perLine {
		var line strings.Builder
		for j := i; j < min(i+perLine, len(list)); j++ {
			fmt.Fprintf(&line, "%2d %-10s", j+1, list[j])
		}
		c.note("  %s", strings.TrimRight(line.String(), " "))
	}
	c.note("")
}

func newKeysImport(c *cli) *cobra.Command {
	var file string
	var account uint32
	cmd := &cobra.Command{
		Use:   "import NAME",
		Short: "Add a key from its 24 words (asked for, or read from standard input) or from an exported file",
		Args:  names("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				if cmd.Flags().Changed("account") {
					return usagef("--account goes with words: a file holds one key")
				}
				return c.importFile(args[0], file)
			}
			words, err := c.readWords()
			if err != nil {
				return err
			}
			info, err := c.addFromWords(args[0], words, account)
			if err != nil {
				return err
			}
			return c.showKey(info)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "import this file, written by 'tetrad keys export'")
	cmd.Flags().Uint32Var(&account, "account", 0, "which key to derive from the words")
	return cmd
}

func (c *cli) importFile(name, file string) error {
	if err := crypto.CheckKeyName(name); err != nil {
		return usagef("%v", err)
	}
	data, err := c.readInput(file)
	if err != nil {
		return err
	}
	ring, err := c.keyring()
	if err != nil {
		return err
	}
	info, err := ring.Import(name, strings.NewReader(string(data)), c.passphrase, c.newPassphrase)
	if err != nil {
		return err
	}
	return c.showKey(info)
}

// wordsBytesMax is more than 24 of the longest words and their spaces take.
const wordsBytesMax = 1024

// readWords gets a mnemonic from the terminal, unseen, or from standard input.
func (c *cli) readWords() (string, error) {
	if isTerminal(c.in) {
		words, _, err := c.ask("the 24 words")
		return string(words), err
	}
	if fd, _ := c.command.Flags().GetInt("passphrase-fd"); fd == 0 {
		return "", usagef("standard input cannot hold both the words and the passphrase").next("give the passphrase with --passphrase-file")
	}
	words, err := readAtMost(c.in, wordsBytesMax)
	if err != nil {
		return "", usagef("cannot read the words from standard input: %v", err)
	}
	return string(words), nil
}

func newKeysList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			ring, err := c.keyring()
			if err != nil {
				return err
			}
			list, err := ring.List()
			if err != nil {
				c.note("tetrad: some keys cannot be read: %v", err)
			}
			documents := make([]keyDocument, len(list))
			for i, info := range list {
				documents[i] = documentOf(info)
			}
			return c.show(documents, func(w io.Writer) {
				g := newGrid("name", "address", "kind")
				for _, d := range documents {
					g.add(d.Name, d.Address, d.Kind)
				}
				g.write(w)
			})
		},
	}
}

func newKeysShow(c *cli) *cobra.Command {
	var addressOnly bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a key's address and public key",
		Args:  names("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			ring, err := c.keyring()
			if err != nil {
				return err
			}
			info, err := c.key(ring, args[0])
			if err != nil {
				return err
			}
			if addressOnly && c.output != "json" {
				fmt.Fprintln(c.out, info.Address)
				return nil
			}
			return c.showKey(info)
		},
	}
	cmd.Flags().BoolVarP(&addressOnly, "address", "a", false, "print the address alone, for scripts")
	return cmd
}

func newKeysExport(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "export NAME FILE",
		Short: "Write an encrypted copy of a key to a new file",
		Long: `Write an encrypted copy of a key to a new file. A passphrase given with --passphrase-fd or
--passphrase-file opens the key and protects the copy; on a terminal each is asked for.`,
		Args: names("NAME", "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.exportKey(args[0], args[1])
		},
	}
}

func (c *cli) exportKey(name, path string) error {
	ring, err := c.keyring()
	if err != nil {
		return err
	}
	info, err := c.key(ring, name)
	if err != nil {
		return err
	}
	if there, err := fileExists(path); there || err != nil {
		return usagef("%s exists already: an export never overwrites a file", path)
	}
	var sealed strings.Builder
	if err := ring.Export(name, &sealed, c.passphrase, c.newPassphrase); err != nil {
		return err
	}
	if err := createFile(path, []byte(sealed.String()), 0o600); err != nil {
		return err
	}
	document := struct {
		keyDocument
		File string `json:"file"`
	}{documentOf(info), path}
	return c.show(document, func(w io.Writer) {
		fields(w, "name", document.Name, "address", document.Address, "file", path)
	})
}

func newKeysDelete(c *cli) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a key for good",
		Args:  names("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			ring, err := c.keyring()
			if err != nil {
				return err
			}
			info, err := c.key(ring, args[0])
			if err != nil {
				return err
			}
			if !yes && !c.confirm(fmt.Sprintf("Delete the key %s of %s for good?", info.Name, info.Address)) {
				return usagef("not deleted: %s stays", info.Name).next("to delete it without being asked, add --yes")
			}
			if err := ring.Delete(info.Name); err != nil {
				return err
			}
			return c.show(map[string]any{"name": info.Name, "address": info.Address, "deleted": true}, func(w io.Writer) {
				fmt.Fprintf(w, "deleted %s (%s)\n", info.Name, info.Address)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// keyDocument is a key's public part in JSON.
type keyDocument struct {
	Name      string `json:"name"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key"`
	Kind      string `json:"kind"`
}

func documentOf(info crypto.KeyInfo) keyDocument {
	return keyDocument{info.Name, info.Address.String(), info.PublicKey.String(), info.Kind}
}

func (c *cli) showKey(info crypto.KeyInfo) error {
	d := documentOf(info)
	return c.show(d, func(w io.Writer) {
		fields(w, "name", d.Name, "address", d.Address, "public key", d.PublicKey, "kind", d.Kind)
	})
}
