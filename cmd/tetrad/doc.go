// Command tetrad is the whole of Tetrad in one binary: it runs validators, keeps keys, signs and sends
// transactions and asks nodes what the ledger says.
//
// This package holds flags and printing only. What a command does is done by the packages below it; what
// it says is said here, under four promises:
//
//   - With -o json, standard output is exactly one JSON document, also when the command fails.
//   - Every failure is a sentence that says what is wrong and, where there is one, the next step.
//   - Every failure ends in the exit code that the table in exit.go gives it.
//   - Secrets come from a terminal or a file descriptor, never from the command line or the environment.
//
// For example:
//
//	tetrad dev
//	tetrad tx transfer bob 12.50usd --from alice
//	tetrad query balance bob usd -o json
package main
