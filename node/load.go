package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/viper"
)

// Names of the two files of a node home, below config/.
const (
	AppFile    = "app.toml"
	EngineFile = "config.toml"
)

// envPrefix begins the name of every environment variable that stands for a key.
const envPrefix = "TETRAD_"

// A Setting is one key with its value and where it came from, for `tetrad config show --origin`.
type Setting struct {
	File   string // the file the key belongs to, whether it is set there or not
	Key    string
	Value  string
	Origin string // "flag", "env TETRAD_...", "file", "default" or "default of profile lan"
}

// Overrides are values that come with a command: keys as in the files, values as text.
type Overrides map[string]string

// Load reads a node's configuration. A flag wins over an environment variable, which wins over the file,
// which wins over the default of the profile. A key that no file knows is an error that names it, since a
// misspelt limit would silently not be one.
func Load(home string, flags Overrides) (Config, error) {
	app, err := readFile(home, AppFile)
	if err != nil {
		return Config{}, err
	}
	engine, err := readFile(home, EngineFile)
	if err != nil {
		return Config{}, err
	}
	profile, err := loadProfile(app, flags)
	if err != nil {
		return Config{}, err
	}

	c, other := Default(home, profile), Default(home, otherProfile(profile))
	appSource := source{file: AppFile, values: app, flags: flags, profile: profile}
	if err := appSource.into(&c, &other); err != nil {
		return Config{}, err
	}
	engineSource := source{file: EngineFile, values: engine, flags: flags, profile: profile, noEnv: fixedNames()}
	if err := engineSource.into(c.Engine, other.Engine); err != nil {
		return Config{}, err
	}
	for key := range flags {
		if !appSource.knows(key) && !engineSource.knows(key) {
			return Config{}, fmt.Errorf("no such key: %s", key)
		}
	}
	c.Engine.SetRoot(home)
	c.settings = append(appSource.settings, engineSource.settings...)
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration of %s: %w", home, err)
	}
	return c, nil
}

// Origins lists every key with its value and origin, by file and key.
func (c Config) Origins() []Setting { return slices.Clone(c.settings) }

// loadProfile finds the profile first, because the defaults depend on it.
func loadProfile(app *viper.Viper, flags Overrides) (string, error) {
	profile := ProfileLAN
	if p, ok := flags["profile"]; ok {
		profile = p
	} else if p, ok := os.LookupEnv(envPrefix + "PROFILE"); ok {
		profile = p
	} else if app.InConfig("profile") {
		profile = app.GetString("profile")
	}
	if profile != ProfileLAN && profile != ProfileWAN {
		return "", fmt.Errorf("%s: profile: %q is not one of lan, wan", AppFile, profile)
	}
	return profile, nil
}

// readFile parses one file of the home. A home without its files is not a node's home.
func readFile(home, name string) (*viper.Viper, error) {
	path := filepath.Join(home, "config", name)
	v := viper.New()
	v.SetConfigFile(path)
	v.SetConfigType("toml")
	if err := v.ReadInConfig(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a node's home: it has no config/%s; make one with `tetrad init` or `tetrad testnet`", home, name)
		}
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return v, nil
}

// source fills one struct from one file and what overrides it.
type source struct {
	file    string
	values  *viper.Viper
	flags   Overrides
	profile string
	noEnv   []string // keys that no environment variable may set

	known    []leaf
	settings []Setting
}

// into fills out, which holds the defaults, and records where each value came from. Other holds the
// defaults of the profile that was not chosen: what differs is what the profile decides.
func (s *source) into(out, other any) error {
	s.known = leavesOf(reflect.ValueOf(out).Elem(), "")
	if err := s.unknown(); err != nil {
		return err
	}
	v := viper.New()
	others := leavesOf(reflect.ValueOf(other).Elem(), "")
	for i, l := range s.known {
		v.SetDefault(l.key, l.value)
		origin := "default"
		if l.key != "profile" && !reflect.DeepEqual(l, others[i]) {
			origin = "default of profile " + s.profile
		}
		if s.values.InConfig(l.key) {
			v.Set(l.key, s.values.Get(l.key))
			origin = "file"
		}
		if name := envName(l.key); !slices.Contains(s.noEnv, l.key) {
			if text, ok := os.LookupEnv(name); ok {
				v.Set(l.key, text)
				origin = "env " + name
			}
		}
		if text, ok := s.flags[l.key]; ok {
			v.Set(l.key, text)
			origin = "flag"
		}
		s.settings = append(s.settings, Setting{s.file, l.key, fmt.Sprint(v.Get(l.key)), origin})
	}
	if err := v.UnmarshalExact(out); err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return nil
}

// unknown names the keys of the file that nobody reads, with the nearest one that exists.
func (s *source) unknown() error {
	var faults []error
	for _, key := range s.values.AllKeys() {
		if s.knows(key) {
			continue
		}
		fault := fmt.Errorf("unknown key %q in %s", key, filepath.Join("config", s.file))
		if near := nearest(key, s.known); near != "" {
			fault = fmt.Errorf("%w; did you mean %q?", fault, near)
		}
		faults = append(faults, fault)
	}
	return errors.Join(faults...)
}

func (s *source) knows(key string) bool {
	return slices.ContainsFunc(s.known, func(l leaf) bool { return l.key == key })
}

// envName is the environment variable for a key: consensus.timeout_propose is
// TETRAD_CONSENSUS_TIMEOUT_PROPOSE.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

func otherProfile(profile string) string {
	if profile == ProfileWAN {
		return ProfileLAN
	}
	return ProfileWAN
}

func fixedNames() []string {
	var names []string
	for _, k := range fixedKeys {
		names = append(names, k.key)
	}
	return names
}

// leaf is one key of a configuration struct and the value that stands there.
type leaf struct {
	key   string
	value any
}

// leavesOf walks a configuration struct by its mapstructure tags. Lists are leaves.
func leavesOf(v reflect.Value, prefix string) []leaf {
	var out []leaf
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		if !field.IsExported() || name == "-" || name == "home" {
			continue // the home is given on the command line, once, and not by any file
		}
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		value := reflect.Indirect(v.Field(i))
		switch {
		case options == "squash":
			out = append(out, leavesOf(value, prefix)...)
		case value.Kind() == reflect.Struct:
			out = append(out, leavesOf(value, prefix+name+".")...)
		default:
			out = append(out, leaf{prefix + name, value.Interface()})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].key < out[j].key })
	return out
}

// nearest finds a known key with the same last part, or one that differs by little.
func nearest(key string, known []leaf) string {
	best, bestDistance := "", 4
	for _, l := range known {
		if d := distance(key, l.key); d < bestDistance {
			best, bestDistance = l.key, d
		}
	}
	if best != "" {
		return best
	}
	last := key[strings.LastIndex(key, ".")+1:]
	for _, l := range known {
		if strings.HasSuffix("."+l.key, "."+last) {
			return l.key
		}
	}
	return ""
}

// distance counts the letters to add, drop or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
