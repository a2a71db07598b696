package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// engineModule is the module of CometBFT's lines; its parts are engine/consensus, engine/p2p and so on.
const engineModule = "engine"

// NewLogger makes the node's logger. With format auto it writes text when terminal is true and JSON
// otherwise.
func NewLogger(w io.Writer, c LogConfig, terminal bool) (*slog.Logger, error) {
	levels, err := parseLevels(c.Level)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug} // levelled decides
	var handler slog.Handler
	switch {
	case c.Format == "json", c.Format == "auto" && !terminal:
		handler = slog.NewJSONHandler(w, options)
	case c.Format == "text", c.Format == "auto":
		handler = slog.NewTextHandler(w, options)
	default:
		return nil, fmt.Errorf("log format %q is not one of auto, text, json", c.Format)
	}
	return slog.New(&levelled{handler, levels, levels[""]}), nil
}

// parseLevels reads "info,engine:error,consensus:debug" into levels by module; "" is everything else.
// CometBFT says at info level what it does several times per block, so its own default is warn.
func parseLevels(text string) (map[string]slog.Level, error) {
	levels := map[string]slog.Level{"": slog.LevelInfo, engineModule: slog.LevelWarn}
	for item := range strings.SplitSeq(text, ",") {
		module, name, found := strings.Cut(strings.TrimSpace(item), ":")
		if !found {
			module, name = "", module
		} else if module == "" {
			return nil, fmt.Errorf("%q names no module", item)
		}
		if module == "*" {
			module = ""
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(name)); err != nil || strings.ContainsAny(name, "+-") {
			return nil, fmt.Errorf("%q is not one of debug, info, warn, error", name)
		}
		levels[module] = level
	}
	return levels, nil
}

// levelled lets a line through according to the module its logger was made for.
type levelled struct {
	slog.Handler
	levels map[string]slog.Level
	level  slog.Level
}

func (h *levelled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := &levelled{h.Handler.WithAttrs(attrs), h.levels, h.level}
	for _, a := range attrs {
		if a.Key == "module" {
			next.level = h.levelOf(a.Value.String())
		}
	}
	return next
}

func (h *levelled) WithGroup(name string) slog.Handler {
	return &levelled{h.Handler.WithGroup(name), h.levels, h.level}
}

// levelOf looks for engine/consensus, then consensus, then engine, then the level of everything.
func (h *levelled) levelOf(module string) slog.Level {
	whole, part, _ := strings.Cut(module, "/")
	for _, name := range []string{module, part, whole} {
		if level, ok := h.levels[name]; ok && name != "" {
			return level
		}
	}
	return h.levels[""]
}

// bridge gives CometBFT a logger that writes to ours.
type bridge struct {
	root   *slog.Logger // without a module
	log    *slog.Logger // root with the module and whatever With added
	module string
	with   []any
	alarm  func(message string, keyvals []any) // sees every error line
	ending *atomic.Bool                        // the node is being stopped
}

// newBridge makes CometBFT's logger. The alarm is how the watchdog hears of a dead consensus. Once ending is
// set, errors are written at debug level: CometBFT reports as an error every peer and listener that a stopping
// node closes.
func newBridge(root *slog.Logger, alarm func(message string, keyvals []any), ending *atomic.Bool) cmtlog.Logger {
	b := &bridge{root: root, module: engineModule, alarm: alarm, ending: ending}
	b.log = root.With("module", b.module)
	return b
}

func (b *bridge) Debug(message string, keyvals ...any) { b.write(slog.LevelDebug, message, keyvals) }
func (b *bridge) Info(message string, keyvals ...any)  { b.write(slog.LevelInfo, message, keyvals) }
func (b *bridge) Warn(message string, keyvals ...any)  { b.write(slog.LevelWarn, message, keyvals) }

func (b *bridge) Error(message string, keyvals ...any) {
	b.alarm(message, keyvals)
	level := slog.LevelError
	if b.ending.Load() {
		level = slog.LevelDebug
	}
	b.write(level, message, keyvals)
}

// With replaces the module rather than adding a second one, and keeps the other pairs.
func (b *bridge) With(keyvals ...any) cmtlog.Logger {
	next := *b
	next.with = append([]any(nil), b.with...)
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == "module" {
			next.module = engineModule + "/" + fmt.Sprint(keyvals[i+1])
			continue
		}
		next.with = append(next.with, key(keyvals[i]), plain(keyvals[i+1]))
	}
	next.log = b.root.With("module", next.module).With(next.with...)
	return &next
}

// write renders arguments only for lines that are wanted: CometBFT passes lazy values whose rendering costs
// more than the line.
func (b *bridge) write(level slog.Level, message string, keyvals []any) {
	if !b.log.Enabled(context.Background(), level) {
		return
	}
	args := make([]any, 0, len(keyvals)+1)
	for i := 0; i+1 < len(keyvals); i += 2 {
		args = append(args, key(keyvals[i]), plain(keyvals[i+1]))
	}
	b.log.Log(context.Background(), level, message, args...)
}

// key makes a name of what should be one; "msg" is the line itself.
func key(k any) string {
	if s := fmt.Sprint(k); s != "msg" && s != "level" && s != "time" && s != "module" {
		return s
	}
	return "engine_" + fmt.Sprint(k)
}

// plain turns a value into text where its type would otherwise be printed by its fields.
func plain(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return hex.EncodeToString(v)
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	default:
		return v
	}
}
