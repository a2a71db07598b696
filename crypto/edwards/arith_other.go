//go:build !amd64

package edwards

// fast: there are routines for this processor.
const fast = false

const absent = "edwards: not implemented for this processor"

func mul8(_, _, _ *field8)                           { panic(absent) }
func square8(_, _ *field8, _ int)                    { panic(absent) }
func accumulate(_ *point, _ *cached, _ *int8, _ int) { panic(absent) }
func prepare(_ *cached, _ *point, _ *cached)         { panic(absent) }
