package edwards

import "golang.org/x/sys/cpu"

// fast: the processor has every instruction that arith_amd64.s uses, and the system saves its registers.
var fast = cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512IFMA

// mul8 sets z to x*y in each lane. They may be the same.
//
//go:noescape
func mul8(z, x, y *field8)

// square8 squares x as many times, at least once, and sets z to the result.
//
//go:noescape
func square8(z, x *field8, times int)

// accumulate adds each of n points to the bucket that its digit names: digit d to the bucket d-1, digit -d,
// negated, to the same one, and digit 0 to none.
//
//go:noescape
func accumulate(buckets *point, points *cached, digits *int8, n int)

// prepare makes a point ready to be added; factors is the constant of that name.
//
//go:noescape
func prepare(c *cached, p *point, factors *cached)
