package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// show prints a command's result: the document with -o json, or else whatever human writes.
func (c *cli) show(document any, human func(w io.Writer)) error {
	if c.output == "json" {
		return c.writeJSON(document)
	}
	human(c.out)
	return nil
}

// writeJSON writes one document and a newline. It is called at most once per run, except by --watch.
func (c *cli) writeJSON(document any) error {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result as JSON: %w", err)
	}
	c.printed = true
	_, err = fmt.Fprintf(c.out, "%s\n", text)
	return err
}

// writeLine writes a document on one line, for output that goes on.
func (c *cli) writeLine(document any) error {
	c.printed = true
	return json.NewEncoder(c.out).Encode(document)
}

// note tells a person something that is not the result. It goes to stderr, so that stdout stays clean.
func (c *cli) note(format string, args ...any) {
	fmt.Fprintf(c.err, format+"\n", args...)
}

// errorBody is the error document of the HTTP API and, with the TxID and the next step added, of the CLI.
type errorBody struct {
	Code         uint32 `json:"code"`
	Slug         string `json:"slug"`
	Class        string `json:"class"`
	Message      string `json:"message"`
	Retryable    bool   `json:"retryable"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
	TxID         string `json:"txid,omitempty"`
	Hint         string `json:"hint,omitempty"`
}

func (f *failure) body() errorBody {
	return errorBody{
		Code: f.code, Slug: f.slug, Class: f.class, Message: f.message,
		Retryable: f.retryable, RetryAfterMS: f.retryAfterMS, TxID: f.txid, Hint: f.hint,
	}
}

// report prints why a command failed and returns the exit code that goes with it.
func (c *cli) report(err error) exitCode {
	f := c.classify(err)
	if c.output == "json" && !c.printed {
		document := f.document
		if document == nil {
			document = map[string]errorBody{"error": f.body()}
		}
		if err := c.writeJSON(document); err == nil {
			return f.exit
		}
	}
	fmt.Fprintf(c.err, "tetrad: %s\n", strings.TrimSpace(f.message))
	if f.hint != "" {
		fmt.Fprintf(c.err, "  %s\n", f.hint)
	}
	return f.exit
}

// classify is classify, except that whatever fails after Ctrl-C failed because of it.
func (c *cli) classify(err error) *failure {
	f := classify(err)
	if !c.interrupted() || f.exit == exitInterrupted && f.slug == "interrupted" {
		return f
	}
	stopped := &failure{exit: exitInterrupted, slug: "interrupted", class: "client", message: "interrupted", txid: f.txid}
	if f.txid != "" {
		stopped.message += "; the transaction may still be committed"
		stopped.hint = "ask with 'tetrad tx status " + f.txid + "'"
	}
	return stopped
}

// classify turns any error into a failure by the table of exit codes.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	for _, row := range exitTable {
		if f := row(err); f != nil {
			return f
		}
	}
	return &failure{exit: exitError, slug: "error", class: "client", message: err.Error()}
}

// isTerminal tells whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
