package edwards

import "encoding/binary"

// field is an element of the field modulo 2^255-19: the sum of limb i times 2^(51 i). The value need not be
// below the modulus. Limbs are below 2^52 wherever they are multiplied.
type field [limbs]uint64

const (
	limbs  = 5
	mask51 = 1<<51 - 1
)

// Twice the modulus, limb by limb; see sub.
var twoP = field{0xfffffffffffda, 0xffffffffffffe, 0xffffffffffffe, 0xffffffffffffe, 0xffffffffffffe}

// Constants of the curve, as in RFC 8032: d, 2d and the square root of -1.
var (
	one     = field{1}
	curveD  = decodeField([32]byte{0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75, 0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00, 0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c, 0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52})
	curve2D = decodeField([32]byte{0x59, 0xf1, 0xb2, 0x26, 0x94, 0x9b, 0xd6, 0xeb, 0x56, 0xb1, 0x83, 0x82, 0x9a, 0x14, 0xe0, 0x00, 0x30, 0xd1, 0xf3, 0xee, 0xf2, 0x80, 0x8e, 0x19, 0xe7, 0xfc, 0xdf, 0x56, 0xdc, 0xd9, 0x06, 0x24})
	sqrtM1  = decodeField([32]byte{0xb0, 0xa0, 0x0e, 0x4a, 0x27, 0x1b, 0xee, 0xc4, 0x78, 0xe4, 0x2f, 0xad, 0x06, 0x18, 0x43, 0x2f, 0xa7, 0xd7, 0xfb, 0x3d, 0x99, 0x00, 0x4d, 0x2b, 0x0b, 0xdf, 0xc1, 0x4f, 0x80, 0x24, 0x83, 0x2b})
)

// decodeField reads 255 bits, little endian; the 256th is left out.
func decodeField(b [32]byte) field {
	w0, w1 := binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])
	w2, w3 := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	return field{
		w0 & mask51,
		(w0>>51 | w1<<13) & mask51,
		(w1>>38 | w2<<26) & mask51,
		(w2>>25 | w3<<39) & mask51,
		(w3 >> 12) & mask51,
	}
}

// canonical returns the one representation below the modulus. Limbs are below 2^60.
func (x field) canonical() field {
	for range 2 { // the second time, every carry is 0 or 1
		var c uint64
		for i := range x {
			x[i] += c
			c = x[i] >> 51
			x[i] &= mask51
		}
		x[0] += 19 * c
	}
	// Below 2^255 now. Adding 19 reaches that exactly if the value is not below the modulus.
	c := uint64(19)
	for i := range x {
		c = (x[i] + c) >> 51
	}
	x[0] += 19 * c
	for i := range limbs - 1 {
		x[i+1] += x[i] >> 51
		x[i] &= mask51
	}
	x[limbs-1] &= mask51
	return x
}

// field8 is eight elements: limb i of element j is at [i][j].
type field8 [limbs][8]uint64

// lane returns one element.
func (x *field8) lane(j int) field { return field{x[0][j], x[1][j], x[2][j], x[3][j], x[4][j]} }

// setLane sets one element.
func (x *field8) setLane(j int, e field) {
	for i := range x {
		x[i][j] = e[i]
	}
}

// all is the same element eight times.
func all(e field) (x field8) {
	for j := range 8 {
		x.setLane(j, e)
	}
	return x
}

// add sets z to x+y. Limbs of x and y are below 2^52.
func (z *field8) add(x, y *field8) {
	for i := range z {
		for j := range z[i] {
			z[i][j] = x[i][j] + y[i][j]
		}
	}
	z.carry()
}

// sub sets z to x-y. Limbs of x and y are below 2^52 - 38, as routines leave them.
func (z *field8) sub(x, y *field8) {
	for i := range z {
		for j := range z[i] {
			z[i][j] = x[i][j] + twoP[i] - y[i][j]
		}
	}
	z.carry()
}

// carry brings limbs below 2^54 below 2^51 + 2^8.
func (z *field8) carry() {
	for j := range 8 {
		c0, c1, c2, c3, c4 := z[0][j]>>51, z[1][j]>>51, z[2][j]>>51, z[3][j]>>51, z[4][j]>>51
		z[0][j] = z[0][j]&mask51 + 19*c4
		z[1][j] = z[1][j]&mask51 + c0
		z[2][j] = z[2][j]&mask51 + c1
		z[3][j] = z[3][j]&mask51 + c2
		z[4][j] = z[4][j]&mask51 + c3
	}
}

// pow22523 sets z to x^(2^252-3), which is x^((p-5)/8).
func (z *field8) pow22523(x *field8) {
	var t0, t1, t2 field8
	square8(&t0, x, 1)     // 2
	square8(&t1, &t0, 2)   // 8
	mul8(&t1, x, &t1)      // 9
	mul8(&t0, &t0, &t1)    // 11
	square8(&t0, &t0, 1)   // 22
	mul8(&t0, &t1, &t0)    // 31 = 2^5 - 1
	square8(&t1, &t0, 5)   //
	mul8(&t0, &t1, &t0)    // 2^10 - 1
	square8(&t1, &t0, 10)  //
	mul8(&t1, &t1, &t0)    // 2^20 - 1
	square8(&t2, &t1, 20)  //
	mul8(&t1, &t2, &t1)    // 2^40 - 1
	square8(&t1, &t1, 10)  //
	mul8(&t0, &t1, &t0)    // 2^50 - 1
	square8(&t1, &t0, 50)  //
	mul8(&t1, &t1, &t0)    // 2^100 - 1
	square8(&t2, &t1, 100) //
	mul8(&t1, &t2, &t1)    // 2^200 - 1
	square8(&t1, &t1, 50)  //
	mul8(&t0, &t1, &t0)    // 2^250 - 1
	square8(&t0, &t0, 2)   // 2^252 - 4
	mul8(z, &t0, x)        // 2^252 - 3
}
