package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/crypto"
)

// address understands what people call an account: an address, a system account such as @gov, or the name of
// one of their keys.
func (c *cli) address(text string) (crypto.Address, error) {
	switch {
	case text == "":
		return crypto.Address{}, usagef("the account is empty: give an address, or the name of one of your keys")
	case strings.HasPrefix(text, "@"):
		return crypto.SystemAddress(text), nil
	case looksLikeAddress(text):
		address, err := crypto.ParseAddress(text)
		if err != nil {
			f := usagef("%q is not an address: %v", text, err)
			f.slug = "bad_address"
			return address, f
		}
		return address, nil
	}
	ring, err := c.keyring()
	if err != nil {
		return crypto.Address{}, err
	}
	if info, err := ring.Get(text); err == nil {
		return info.Address, nil
	}
	f := usagef("%q is neither an address (tet1...) nor the name of a key in %s", text, c.client.path("keys"))
	f.slug = "unknown_account"
	return crypto.Address{}, f.next("'tetrad keys list' shows the names you can use")
}

// looksLikeAddress tells a mistyped address, which must not be looked up as a name, from a name.
func looksLikeAddress(text string) bool {
	lower := strings.ToLower(text)
	return strings.HasPrefix(lower, crypto.AddressPrefix+"1") || strings.HasPrefix(lower, crypto.ValidatorPrefix+"1")
}

// completeFirst offers the names of keys as a command's first argument.
func completeFirst(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeKeys(cmd, args, text)
}

// completeKeys offers the names of this home's keys. A shell calls it in a process of its own, before flags are
// settled, so it looks for the home by itself.
func completeKeys(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	home, _ := cmd.Flags().GetString("home")
	if home == "" {
		home = os.Getenv("TETRAD_HOME")
	}
	home, err := resolveHome(home)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	dir, _ := findClientHome(home)
	ring, err := crypto.OpenKeyring(filepath.Join(dir, "keys"), crypto.KindTest) // the kind matters for new keys alone
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	list, _ := ring.List() // keys that cannot be read have no names to offer
	out := make([]string, len(list))
	for i, info := range list {
		out[i] = info.Name
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
