package edwards

// point is a point in extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, xy = T/Z: limb i of the coordinates
// is at [i].
type point [limbs][4]uint64

// cached is a point as it is added to others: (Y-X, Y+X, 2Z, 2dT).
type cached [limbs][4]uint64

// identity is the neutral point.
var identity = point{{0, 1, 1, 0}}

// factors make a cached point of (Y-X, Y+X, Z, T).
var factors = func() (f cached) {
	for i := range f {
		f[i] = [4]uint64{one[i], one[i], 2 * one[i], curve2D[i]}
	}
	return f
}()

// digitOne is the digit of a single addition.
var digitOne int8 = 1

// add adds q to p.
func (p *point) add(q *cached) { accumulate(p, q, &digitOne, 1) }

// double adds p to itself as many times over.
func (p *point) double(times int) {
	var q cached
	for range times {
		prepare(&q, p, &factors)
		p.add(&q)
	}
}

// coordinate returns X, Y, Z or T.
func (p *point) coordinate(lane int) (e field) {
	for i := range p {
		e[i] = p[i][lane]
	}
	return e.canonical()
}

// isTorsion reports whether eight times p is the identity.
func (p *point) isTorsion() bool {
	q := *p
	q.double(3)
	return q.coordinate(0) == field{} && q.coordinate(1) == q.coordinate(2)
}

// decode8 makes points of eight encodings by the rules of ZIP-215: y need not be below the modulus, and x = 0 may
// carry either sign. It reports whether all are points of the curve; if not, none of the results is.
func decode8(points *[8]cached, encoded *[8][32]byte) bool {
	var y, u, v, x, check field8
	for j := range encoded {
		y.setLane(j, decodeField(encoded[j]))
	}
	// x^2 = (y^2-1) / (dy^2+1) = u/v.
	square8(&v, &y, 1)
	u.sub(&v, &all1)
	mul8(&v, &v, &allD)
	v.add(&v, &all1)
	x.root(&u, &v)

	// The candidate is right, or wrong by a factor of the square root of -1, or there is no root.
	square8(&check, &x, 1)
	mul8(&check, &check, &v)
	var negated, fix field8
	negated.sub(&all0, &u)
	for j := range encoded {
		switch check.lane(j).canonical() {
		case u.lane(j).canonical():
			fix.setLane(j, one)
		case negated.lane(j).canonical():
			fix.setLane(j, sqrtM1)
		default:
			return false
		}
	}
	mul8(&x, &x, &fix)

	// The sign bit says which of the two roots it is.
	negated.sub(&all0, &x)
	for j := range encoded {
		if byte(x.lane(j).canonical()[0]&1) != encoded[j][31]>>7 {
			x.setLane(j, negated.lane(j))
		}
	}
	store8(points, &x, &y)
	return true
}

// root sets x to the candidate for the square root of u/v: u v^3 (u v^7)^((p-5)/8).
func (x *field8) root(u, v *field8) {
	var v3, t field8
	square8(&v3, v, 1)
	mul8(&v3, &v3, v)
	square8(&t, &v3, 1)
	mul8(&t, &t, v)
	mul8(&t, &t, u)
	t.pow22523(&t)
	mul8(&t, &t, &v3)
	mul8(x, &t, u)
}

// store8 makes cached points of affine coordinates.
func store8(points *[8]cached, x, y *field8) {
	var difference, sum, product field8
	difference.sub(y, x)
	sum.add(y, x)
	mul8(&product, x, y)
	mul8(&product, &product, &all2D)
	for i := range limbs {
		for j := range points {
			points[j][i] = [4]uint64{difference[i][j], sum[i][j], 2 * one[i], product[i][j]}
		}
	}
}

// Constants in eight lanes.
var (
	all0  field8
	all1  = all(one)
	allD  = all(curveD)
	all2D = all(curve2D)
)
