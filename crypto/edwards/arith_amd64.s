// Field and point arithmetic with the 52-bit multiply-add instructions of AVX-512 IFMA.
//
// A field element modulo p = 2^255-19 is five limbs of 51 bits, spread over five vector registers: limb i of
// all lanes stands in register i. Every routine takes limbs below 2^52, which is what the multiplier reads of
// them, and leaves limbs below 2^51 + 2^15.

#include "textflag.h"

DATA ·mask51+0(SB)/8, $0x7ffffffffffff
GLOBL ·mask51(SB), RODATA|NOPTR, $8
DATA ·nineteen+0(SB)/8, $19
GLOBL ·nineteen(SB), RODATA|NOPTR, $8

// Twice p, which is added before something is subtracted: no limb becomes negative.
DATA ·twoP0+0(SB)/8, $0xfffffffffffda
GLOBL ·twoP0(SB), RODATA|NOPTR, $8
DATA ·twoP1+0(SB)/8, $0xffffffffffffe
GLOBL ·twoP1(SB), RODATA|NOPTR, $8

// Lanes of a cached point as they are used for addition, and for subtraction.
DATA ·lanes+0(SB)/8, $0
DATA ·lanes+8(SB)/8, $1
DATA ·lanes+16(SB)/8, $2
DATA ·lanes+24(SB)/8, $3
DATA ·lanes+32(SB)/8, $1
DATA ·lanes+40(SB)/8, $0
DATA ·lanes+48(SB)/8, $2
DATA ·lanes+56(SB)/8, $3
GLOBL ·lanes(SB), RODATA|NOPTR, $64

// LO and HI add the low and the high 52 bits of a product. A high half weighs 2^52, twice what the next limb
// weighs, so DOUBLE adds it twice there.
#define LO(a, b, r) VPMADD52LUQ a, b, r
#define HI(a, b, r) VPMADD52HUQ a, b, r
#define ZERO(r) VPXORQ r, r, r
#define DOUBLE(h, r) VPADDQ h, r, r; VPADDQ h, r, r
#define TWICE(r) VPADDQ r, r, r

// FOLD brings limbs 5 to 9, which weigh 2^255 = 19, down to limbs 0 to 4. Each limb is below 15*2^52 before it
// and below 2^61 after it.
#define FOLD(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, c19) \
	VPMULLQ c19, r5, r5; VPMULLQ c19, r6, r6; VPMULLQ c19, r7, r7; VPMULLQ c19, r8, r8; VPMULLQ c19, r9, r9; \
	VPADDQ r5, r0, r0; VPADDQ r6, r1, r1; VPADDQ r7, r2, r2; VPADDQ r8, r3, r3; VPADDQ r9, r4, r4

// CARRY takes what is above 51 bits of each limb to the next one, all at once: of limbs below 2^61 it leaves
// limbs below 2^51 + 19*2^10.
#define CARRY(r0, r1, r2, r3, r4, t0, t1, t2, t3, t4, mask, c19) \
	VPSRLQ $51, r0, t0; VPSRLQ $51, r1, t1; VPSRLQ $51, r2, t2; VPSRLQ $51, r3, t3; VPSRLQ $51, r4, t4; \
	VPANDQ mask, r0, r0; VPANDQ mask, r1, r1; VPANDQ mask, r2, r2; VPANDQ mask, r3, r3; VPANDQ mask, r4, r4; \
	VPADDQ t0, r1, r1; VPADDQ t1, r2, r2; VPADDQ t2, r3, r3; VPADDQ t3, r4, r4; \
	LO(t4, c19, r0)

// MUL sets r0 to r4 to the product of x and y, column by column.
#define MUL(x0, x1, x2, x3, x4, y0, y1, y2, y3, y4, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, h, g, mask, c19) \
	ZERO(r0); ZERO(h); LO(x0, y0, r0); HI(x0, y0, h); \
	ZERO(r1); ZERO(g); LO(x0, y1, r1); HI(x0, y1, g); LO(x1, y0, r1); HI(x1, y0, g); DOUBLE(h, r1); \
	ZERO(r2); ZERO(h); LO(x0, y2, r2); HI(x0, y2, h); LO(x1, y1, r2); HI(x1, y1, h); \
	LO(x2, y0, r2); HI(x2, y0, h); DOUBLE(g, r2); \
	ZERO(r3); ZERO(g); LO(x0, y3, r3); HI(x0, y3, g); LO(x1, y2, r3); HI(x1, y2, g); \
	LO(x2, y1, r3); HI(x2, y1, g); LO(x3, y0, r3); HI(x3, y0, g); DOUBLE(h, r3); \
	ZERO(r4); ZERO(h); LO(x0, y4, r4); HI(x0, y4, h); LO(x1, y3, r4); HI(x1, y3, h); \
	LO(x2, y2, r4); HI(x2, y2, h); LO(x3, y1, r4); HI(x3, y1, h); LO(x4, y0, r4); HI(x4, y0, h); DOUBLE(g, r4); \
	ZERO(r5); ZERO(g); LO(x1, y4, r5); HI(x1, y4, g); LO(x2, y3, r5); HI(x2, y3, g); \
	LO(x3, y2, r5); HI(x3, y2, g); LO(x4, y1, r5); HI(x4, y1, g); DOUBLE(h, r5); \
	ZERO(r6); ZERO(h); LO(x2, y4, r6); HI(x2, y4, h); LO(x3, y3, r6); HI(x3, y3, h); \
	LO(x4, y2, r6); HI(x4, y2, h); DOUBLE(g, r6); \
	ZERO(r7); ZERO(g); LO(x3, y4, r7); HI(x3, y4, g); LO(x4, y3, r7); HI(x4, y3, g); DOUBLE(h, r7); \
	ZERO(r8); ZERO(h); LO(x4, y4, r8); HI(x4, y4, h); DOUBLE(g, r8); \
	VPADDQ h, h, r9; \
	FOLD(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, c19); \
	CARRY(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, mask, c19)

// SQUARE sets r0 to r4 to the square of x. Products of different limbs are counted twice by doubling their sums,
// since a doubled limb would not fit the multiplier.
#define SQUARE(x0, x1, x2, x3, x4, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, h, g, mask, c19) \
	ZERO(r0); ZERO(h); LO(x0, x0, r0); HI(x0, x0, h); \
	ZERO(r1); ZERO(g); LO(x0, x1, r1); HI(x0, x1, g); TWICE(r1); TWICE(g); DOUBLE(h, r1); \
	ZERO(r2); ZERO(h); LO(x0, x2, r2); HI(x0, x2, h); TWICE(r2); TWICE(h); \
	LO(x1, x1, r2); HI(x1, x1, h); DOUBLE(g, r2); \
	ZERO(r3); ZERO(g); LO(x0, x3, r3); HI(x0, x3, g); LO(x1, x2, r3); HI(x1, x2, g); \
	TWICE(r3); TWICE(g); DOUBLE(h, r3); \
	ZERO(r4); ZERO(h); LO(x0, x4, r4); HI(x0, x4, h); LO(x1, x3, r4); HI(x1, x3, h); TWICE(r4); TWICE(h); \
	LO(x2, x2, r4); HI(x2, x2, h); DOUBLE(g, r4); \
	ZERO(r5); ZERO(g); LO(x1, x4, r5); HI(x1, x4, g); LO(x2, x3, r5); HI(x2, x3, g); \
	TWICE(r5); TWICE(g); DOUBLE(h, r5); \
	ZERO(r6); ZERO(h); LO(x2, x4, r6); HI(x2, x4, h); TWICE(r6); TWICE(h); \
	LO(x3, x3, r6); HI(x3, x3, h); DOUBLE(g, r6); \
	ZERO(r7); ZERO(g); LO(x3, x4, r7); HI(x3, x4, g); TWICE(r7); TWICE(g); DOUBLE(h, r7); \
	ZERO(r8); ZERO(h); LO(x4, x4, r8); HI(x4, x4, h); DOUBLE(g, r8); \
	VPADDQ h, h, r9; \
	FOLD(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, c19); \
	CARRY(r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, mask, c19)

// func mul8(z, x, y *field8)
TEXT ·mul8(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	VPBROADCASTQ ·mask51(SB), Z31
	VPBROADCASTQ ·nineteen(SB), Z30
	VMOVDQU64 0(SI), Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	VMOVDQU64 256(SI), Z4
	VMOVDQU64 0(DX), Z5
	VMOVDQU64 64(DX), Z6
	VMOVDQU64 128(DX), Z7
	VMOVDQU64 192(DX), Z8
	VMOVDQU64 256(DX), Z9
	MUL(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, Z16, Z17, Z18, Z19, Z20, Z21, Z31, Z30)
	VMOVDQU64 Z10, 0(DI)
	VMOVDQU64 Z11, 64(DI)
	VMOVDQU64 Z12, 128(DI)
	VMOVDQU64 Z13, 192(DI)
	VMOVDQU64 Z14, 256(DI)
	VZEROUPPER
	RET

// func square8(z, x *field8, times int)
TEXT ·square8(SB), NOSPLIT, $0-24
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ times+16(FP), CX
	VPBROADCASTQ ·mask51(SB), Z31
	VPBROADCASTQ ·nineteen(SB), Z30
	VMOVDQU64 0(SI), Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	VMOVDQU64 256(SI), Z4
again:
	SQUARE(Z0, Z1, Z2, Z3, Z4, Z10, Z11, Z12, Z13, Z14, Z15, Z16, Z17, Z18, Z19, Z20, Z21, Z31, Z30)
	VMOVDQA64 Z10, Z0
	VMOVDQA64 Z11, Z1
	VMOVDQA64 Z12, Z2
	VMOVDQA64 Z13, Z3
	VMOVDQA64 Z14, Z4
	DECQ CX
	JNZ again
	VMOVDQU64 Z0, 0(DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VMOVDQU64 Z4, 256(DI)
	VZEROUPPER
	RET

// SPLIT makes (Y-X, Y+X, Z, T) of one limb of (X, Y, Z, T). K2 is lane 0, K3 is lane 1.
#define SPLIT(p, t, twoP) \
	VPERMQ $0x00, p, t; \
	VPERMQ $0xe5, p, p; \
	VPADDQ t, p, K3, p; \
	VPSUBQ t, twoP, t; \
	VPADDQ t, p, K2, p

// CROSS makes (E, F, G, H) of one limb of (A, B, D, C): E = B-A, F = D-C, G = D+C, H = B+A. K1 is the lanes that
// subtract: 0 and 1, or 0 and 2 when a point is subtracted, which changes the sign of C.
#define CROSS(r, t, twoP) \
	VPERMQ $0x3c, r, t; \
	VPERMQ $0x69, r, r; \
	VPSUBQ t, twoP, K1, t; \
	VPADDQ t, r, r

// SPREAD makes (E, G, F, E) in l and (F, H, G, H) in r of one limb of (E, F, G, H).
#define SPREAD(r, l) \
	VPERMQ $0x18, r, l; \
	VPERMQ $0xed, r, r

// func accumulate(buckets *point, points *cached, digits *int8, n int)
//
// Each digit d that is not 0 adds its point to bucket d-1 or, if it is negative, subtracts it from bucket -d-1.
// The formulas are complete: they hold for any two points, the identity and equal ones included.
TEXT ·accumulate(SB), NOSPLIT, $0-32
	MOVQ buckets+0(FP), DI
	MOVQ points+8(FP), SI
	MOVQ digits+16(FP), DX
	MOVQ n+24(FP), CX
	LEAQ ·lanes(SB), R8
	SUBQ $160, DI
	VPBROADCASTQ ·mask51(SB), Y31
	VPBROADCASTQ ·nineteen(SB), Y30
	VPBROADCASTQ ·twoP0(SB), Y29
	VPBROADCASTQ ·twoP1(SB), Y28
	MOVQ $1, AX
	KMOVQ AX, K2
	MOVQ $2, AX
	KMOVQ AX, K3
	TESTQ CX, CX
	JZ done
next:
	MOVBQSX (DX), AX
	TESTQ AX, AX
	JZ skip
	MOVQ AX, BX
	SARQ $63, BX
	XORQ BX, AX
	SUBQ BX, AX
	LEAQ (AX)(AX*4), AX
	SHLQ $5, AX
	ADDQ DI, AX
	MOVQ BX, R9
	ANDQ $32, R9
	VMOVDQU64 (R8)(R9*1), Y27
	ANDQ $6, BX
	XORQ $3, BX
	KMOVQ BX, K1

	VMOVDQU64 0(AX), Y0
	VMOVDQU64 32(AX), Y1
	VMOVDQU64 64(AX), Y2
	VMOVDQU64 96(AX), Y3
	VMOVDQU64 128(AX), Y4
	SPLIT(Y0, Y5, Y29)
	SPLIT(Y1, Y6, Y28)
	SPLIT(Y2, Y7, Y28)
	SPLIT(Y3, Y8, Y28)
	SPLIT(Y4, Y9, Y28)
	CARRY(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y31, Y30)
	VPERMQ 0(SI), Y27, Y5
	VPERMQ 32(SI), Y27, Y6
	VPERMQ 64(SI), Y27, Y7
	VPERMQ 96(SI), Y27, Y8
	VPERMQ 128(SI), Y27, Y9
	MUL(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, Y16, Y17, Y18, Y19, Y20, Y21, Y31, Y30)
	CROSS(Y10, Y5, Y29)
	CROSS(Y11, Y6, Y28)
	CROSS(Y12, Y7, Y28)
	CROSS(Y13, Y8, Y28)
	CROSS(Y14, Y9, Y28)
	CARRY(Y10, Y11, Y12, Y13, Y14, Y5, Y6, Y7, Y8, Y9, Y31, Y30)
	SPREAD(Y10, Y0)
	SPREAD(Y11, Y1)
	SPREAD(Y12, Y2)
	SPREAD(Y13, Y3)
	SPREAD(Y14, Y4)
	MUL(Y0, Y1, Y2, Y3, Y4, Y10, Y11, Y12, Y13, Y14, Y5, Y6, Y7, Y8, Y9, Y15, Y16, Y17, Y18, Y19, Y20, Y21, Y31, Y30)
	VMOVDQU64 Y5, 0(AX)
	VMOVDQU64 Y6, 32(AX)
	VMOVDQU64 Y7, 64(AX)
	VMOVDQU64 Y8, 96(AX)
	VMOVDQU64 Y9, 128(AX)
skip:
	ADDQ $160, SI
	INCQ DX
	DECQ CX
	JNZ next
done:
	VZEROUPPER
	RET

// func prepare(c *cached, p *point, factors *cached)
//
// It makes (Y-X, Y+X, 2Z, 2dT) of a point; factors is (1, 1, 2, 2d).
TEXT ·prepare(SB), NOSPLIT, $0-24
	MOVQ c+0(FP), DI
	MOVQ p+8(FP), AX
	MOVQ factors+16(FP), SI
	VPBROADCASTQ ·mask51(SB), Y31
	VPBROADCASTQ ·nineteen(SB), Y30
	VPBROADCASTQ ·twoP0(SB), Y29
	VPBROADCASTQ ·twoP1(SB), Y28
	MOVQ $1, BX
	KMOVQ BX, K2
	MOVQ $2, BX
	KMOVQ BX, K3
	VMOVDQU64 0(AX), Y0
	VMOVDQU64 32(AX), Y1
	VMOVDQU64 64(AX), Y2
	VMOVDQU64 96(AX), Y3
	VMOVDQU64 128(AX), Y4
	SPLIT(Y0, Y5, Y29)
	SPLIT(Y1, Y6, Y28)
	SPLIT(Y2, Y7, Y28)
	SPLIT(Y3, Y8, Y28)
	SPLIT(Y4, Y9, Y28)
	CARRY(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y31, Y30)
	VMOVDQU64 0(SI), Y5
	VMOVDQU64 32(SI), Y6
	VMOVDQU64 64(SI), Y7
	VMOVDQU64 96(SI), Y8
	VMOVDQU64 128(SI), Y9
	MUL(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, Y16, Y17, Y18, Y19, Y20, Y21, Y31, Y30)
	VMOVDQU64 Y10, 0(DI)
	VMOVDQU64 Y11, 32(DI)
	VMOVDQU64 Y12, 64(DI)
	VMOVDQU64 Y13, 96(DI)
	VMOVDQU64 Y14, 128(DI)
	VZEROUPPER
	RET
