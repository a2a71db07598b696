package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// resolveHome returns the home asked for, or the default one.
func resolveHome(asked string) (string, error) {
	if asked != "" {
		return filepath.Clean(asked), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("no home directory is known for this user").next("give one with --home or TETRAD_HOME")
	}
	return filepath.Join(user, ".tetrad"), nil
}

// clientHome is where a person's keys and settings are: keys/, config/client.toml, and the files that make
// retries and reads-after-writes safe.
type clientHome struct {
	dir      string
	found    bool // client.toml exists
	settings clientSettings
}

// clientSettings is client.toml. Every key is optional.
type clientSettings struct {
	ChainID     string   `mapstructure:"chain_id"`
	GenesisHash string   `mapstructure:"genesis_hash"`
	Endpoints   []string `mapstructure:"endpoints"`
	Output      string   `mapstructure:"output"`
	DefaultKey  string   `mapstructure:"default_key"`
	Keyring     string   `mapstructure:"keyring"`

	// How nodes are chosen: see routing.
	Policy       string `mapstructure:"policy"`
	Region       string `mapstructure:"region"`
	RegionStrict bool   `mapstructure:"region_strict"`
}

var clientKeys = []string{
	"chain_id", "genesis_hash", "endpoints", "output", "default_key", "keyring", "policy", "region", "region_strict",
}

func (h *clientHome) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// findClientHome says which directory holds the client's files: the home itself, or the client home that a
// dev network (<home>/dev/client) or a testnet (<home>/client) left below it.
func findClientHome(home string) (dir string, found bool) {
	for _, dir := range []string{home, filepath.Join(home, "dev", "client"), filepath.Join(home, "client")} {
		if _, err := os.Stat(filepath.Join(dir, "config", "client.toml")); err == nil {
			return dir, true
		}
	}
	return home, false
}

// loadClientHome reads client.toml, once per run. A home without one is usable: --node then says where to
// connect, and the chain's identity is what that node says it is.
func (c *cli) loadClientHome() (*clientHome, error) {
	if c.client != nil {
		return c.client, nil
	}
	h := &clientHome{}
	h.dir, h.found = findClientHome(c.home)
	if h.found {
		if err := h.read(); err != nil {
			return nil, err
		}
	}
	c.client = h
	return h, nil
}

func (h *clientHome) read() error {
	path := h.path("config", "client.toml")
	v := viper.New()
	v.SetConfigFile(path)
	v.SetConfigType("toml")
	if err := v.ReadInConfig(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, key := range v.AllKeys() {
		if !slices.Contains(clientKeys, key) {
			return usagef("unknown key %q in %s", key, path).next("known keys: %s", strings.Join(clientKeys, ", "))
		}
	}
	if err := v.Unmarshal(&h.settings); err != nil {
		return usagef("%s: %v", path, err)
	}
	if out := h.settings.Output; out != "" && out != "table" && out != "json" {
		return usagef("output in %s must be table or json, not %q", path, out)
	}
	return nil
}

// applyClientOutput lets client.toml choose the output format where neither flag nor environment did.
func (c *cli) applyClientOutput() {
	h, err := c.loadClientHome()
	if err != nil || h.settings.Output == "" {
		return // the command that needs the file will report what is wrong with it
	}
	if !c.command.Flags().Changed("output") && os.Getenv("TETRAD_OUTPUT") == "" {
		c.output = h.settings.Output
	}
}

// endpoints lists the API addresses to use: --node, TETRAD_NODE, client.toml, the node whose home this is, or the
// default port here.
func (c *cli) endpoints() ([]string, error) {
	h, err := c.loadClientHome()
	if err != nil {
		return nil, err
	}
	list := h.settings.Endpoints
	if given := c.v.GetString("node"); given != "" {
		list = strings.Split(given, ",")
	}
	if len(list) == 0 && !h.found {
		own, err := c.homeEndpoint()
		if err != nil {
			return nil, err
		}
		if own != "" {
			list = []string{own}
		}
	}
	if len(list) == 0 {
		list = []string{defaultEndpoint}
	}
	out := make([]string, len(list))
	for i, text := range list {
		if out[i], err = endpointURL(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// defaultEndpoint is the HTTP API of the first node of a network on this machine.
const defaultEndpoint = "http://127.0.0.1:26658"

// endpointURL accepts host:port as well as a full address.
func endpointURL(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", usagef("node address %q is not an http or https URL", text).next("for example --node %s", defaultEndpoint)
	}
	return strings.TrimRight(text, "/"), nil
}

// fileExists tells a missing file from one that cannot be looked at.
func fileExists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
