package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passphraseBytesMax bounds what is read from a file or descriptor: more than a line is a mistake such as
// naming the wrong file, and should not be read into memory first.
const passphraseBytesMax = 4096

func addPassphraseFlags(cmd *cobra.Command) {
	cmd.Flags().Int("passphrase-fd", -1, "read the key's passphrase from this file descriptor")
	cmd.Flags().String("passphrase-file", "", "read the key's passphrase from this file")
}

// passphrase gets a key's passphrase from the place the flags name, or asks for it on the terminal. A
// passphrase never travels in an argument or an environment variable, where other users can see it.
func (c *cli) passphrase(prompt string) ([]byte, error) {
	fd, err := c.command.Flags().GetInt("passphrase-fd")
	if err != nil {
		fd = -1
	}
	path, _ := c.command.Flags().GetString("passphrase-file")
	switch {
	case fd >= 0 && path != "":
		return nil, usagef("--passphrase-fd and --passphrase-file exclude each other")
	case fd >= 0:
		return c.passphraseFromFD(fd)
	case path != "":
		file, err := os.Open(path)
		if err != nil {
			return nil, keyf("no_passphrase", "cannot read the passphrase file: %v", err)
		}
		defer file.Close()
		return readPassphrase(file, path)
	}
	if secret, asked, err := c.ask(prompt); asked {
		return secret, err
	}
	return nil, keyf("no_passphrase", "the key is encrypted and there is no terminal to ask for its passphrase").
		next("give it with --passphrase-file FILE or --passphrase-fd N")
}

// newPassphrase gets the passphrase for a new key file: asked twice on a terminal, and never empty.
func (c *cli) newPassphrase(prompt string) ([]byte, error) {
	first, err := c.passphrase(prompt)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, usagef("the passphrase is empty").next("for a throw-away dev network use --keyring test, which has none")
	}
	if c.command.Flags().Changed("passphrase-fd") || c.command.Flags().Changed("passphrase-file") {
		return first, nil
	}
	second, err := c.passphrase("the same again")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usagef("the two passphrases differ")
	}
	return first, nil
}

// passphraseFromFD reads the descriptor once and remembers, because a command may need the passphrase of a
// key and one for its copy. Callers wipe what they get, so each gets a copy.
func (c *cli) passphraseFromFD(fd int) ([]byte, error) {
	if c.fromFD == nil {
		read, err := readPassphrase(os.NewFile(uintptr(fd), "passphrase"), fmt.Sprintf("file descriptor %d", fd))
		if err != nil {
			return nil, err
		}
		c.fromFD = read
	}
	return bytes.Clone(c.fromFD), nil
}

// readPassphrase reads the first line of a file, without its line end.
func readPassphrase(file *os.File, from string) ([]byte, error) {
	if file == nil {
		return nil, usagef("%s is not open", from)
	}
	line, err := bufio.NewReader(io.LimitReader(file, passphraseBytesMax+1)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, keyf("no_passphrase", "cannot read a passphrase from %s: %v", from, err)
	}
	if len(line) > passphraseBytesMax {
		return nil, keyf("no_passphrase", "the first line of %s is too long for a passphrase", from)
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// ask reads a secret from the person's terminal without showing it; asked is false if there is none.
func (c *cli) ask(prompt string) (secret []byte, asked bool, err error) {
	terminal, done := c.terminal()
	if terminal == nil {
		return nil, false, nil
	}
	defer done()
	fmt.Fprintf(c.err, "%s: ", prompt)
	secret, err = term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(c.err)
	if err != nil {
		return nil, true, fmt.Errorf("read the passphrase from the terminal: %w", err)
	}
	return secret, true, nil
}

// terminal is where a person can be asked: standard input or, where that is a file or pipe although somebody
// is watching, the terminal the command was started from.
func (c *cli) terminal() (terminal *os.File, done func()) {
	if isTerminal(c.in) {
		return c.in.(*os.File), func() {}
	}
	if !isTerminal(c.err) {
		return nil, nil
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, nil // no terminal is an answer, not a failure
	}
	return terminal, func() { terminal.Close() }
}

// confirm asks a yes-or-no question; without a terminal the answer is no.
func (c *cli) confirm(question string) bool {
	if !isTerminal(c.in) {
		return false
	}
	fmt.Fprintf(c.err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(c.in).ReadString('\n')
	return len(answer) > 0 && (answer[0] == 'y' || answer[0] == 'Y')
}
