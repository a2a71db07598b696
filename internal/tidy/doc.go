// Package tidy tests the code base itself: which package may import which, what the deterministic
// packages may not do, how long a function or a file may grow, and what has to stand beside an operation.
//
// A rule that only lives in a document decays; here each one is a test whose failure says what to do
// instead. The package holds no production code. To add a package, give it a row in arrows (arrows_test.go);
// a package without a row fails.
package tidy
