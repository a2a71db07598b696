package edwards

import "slices"

// Fast reports whether this machine can do what the package is for.
func Fast() bool { return fast }

// Lengths of scalars in bytes.
const (
	scalarLen = 32
	shortLen  = 16
)

// Sum is a sum of multiples of points. The zero value is an empty one; memory is kept for the next sum. It is not
// safe for concurrent use.
type Sum struct {
	long, short terms
	points      []cached // of the long terms and then of the short ones
	buckets     []point
}

// terms are points with the digits of what multiplies them: digit j of term i is at digits[j][i].
type terms struct {
	encoded [][32]byte
	digits  [scalarLen][]int8
}

// Reset empties the sum.
func (s *Sum) Reset() {
	s.long.reset()
	s.short.reset()
}

// Add adds the multiple of an encoded point by a little-endian scalar below 2^255.
func (s *Sum) Add(point *[32]byte, scalar *[32]byte) { s.long.add(point, scalar[:]) }

// AddShort is Add for a scalar of 128 bits; it costs half.
func (s *Sum) AddShort(point *[32]byte, scalar *[16]byte) { s.short.add(point, scalar[:]) }

// IsTorsion reports whether every point is one and eight times the sum is the identity. The package must be Fast.
func (s *Sum) IsTorsion() bool {
	if !s.decode() {
		return false
	}
	total := s.total()
	return total.isTorsion()
}

func (t *terms) reset() {
	t.encoded = t.encoded[:0]
	for j := range t.digits {
		t.digits[j] = t.digits[j][:0]
	}
}

// add writes the scalar with digits from -128 to 127 to the base 256.
func (t *terms) add(point *[32]byte, scalar []byte) {
	t.encoded = append(t.encoded, *point)
	carry := 0
	for j, b := range scalar {
		digit := int(b) + carry
		carry = 0
		if digit >= 128 {
			digit, carry = digit-256, 1
		}
		t.digits[j] = append(t.digits[j], int8(digit))
	}
	if len(scalar) < scalarLen {
		t.digits[len(scalar)] = append(t.digits[len(scalar)], int8(carry))
	}
}

// decode makes points of all encodings.
func (s *Sum) decode() bool {
	n := len(s.long.encoded) + len(s.short.encoded)
	s.points = slices.Grow(s.points[:0], n+7)[:(n+7)/8*8]
	var eight [8][32]byte
	for from := 0; from < n; from += 8 {
		for j := range eight {
			// The last ones repeat a point that is there.
			eight[j] = *s.encodedAt(min(from+j, n-1))
		}
		if !decode8((*[8]cached)(s.points[from:]), &eight) {
			return false
		}
	}
	return true
}

func (s *Sum) encodedAt(i int) *[32]byte {
	if i < len(s.long.encoded) {
		return &s.long.encoded[i]
	}
	return &s.short.encoded[i-len(s.long.encoded)]
}

// bucketCount is the number of values of a digit without its sign, 0 left out.
const bucketCount = 128

// total adds everything up by Pippenger's algorithm: for each digit, points of equal digits are added first, in
// buckets, and a bucket's sum is then multiplied by its digit.
func (s *Sum) total() point {
	if s.buckets == nil {
		s.buckets = make([]point, bucketCount)
	}
	long := len(s.long.encoded)
	total := identity
	for j := scalarLen - 1; j >= 0; j-- {
		total.double(8)
		for i := range s.buckets {
			s.buckets[i] = identity
		}
		s.collect(s.points, s.long.digits[j])
		s.collect(s.points[long:], s.short.digits[j])
		s.empty(&total)
	}
	return total
}

// collect adds points to the buckets of their digits.
func (s *Sum) collect(points []cached, digits []int8) {
	if len(digits) > 0 {
		accumulate(&s.buckets[0], &points[0], &digits[0], len(digits))
	}
}

// empty adds each bucket's sum, times its digit, to the total: the running sum of the buckets from the top down
// is added once for each digit.
func (s *Sum) empty(total *point) {
	running := identity
	var ready cached // running, as it is added
	any := false
	for i := bucketCount - 1; i >= 0; i-- {
		if s.buckets[i] != identity {
			var bucket cached
			prepare(&bucket, &s.buckets[i], &factors)
			running.add(&bucket)
			prepare(&ready, &running, &factors)
			any = true
		}
		if any {
			total.add(&ready)
		}
	}
}
