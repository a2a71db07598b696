package crypto

import (
	"crypto/rand"
	"crypto/sha512"
	"hash"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/tetradledger/tetrad/crypto/edwards"
)

// quickEquation is the batch equation of ZIP-215 over package edwards: with random z of 128 bits for each
// signature (R, s) of a message by a key A, and k the hash of R, A and the message,
//
//	8 (sum of z R + sum of z k A - (sum of z s) B) = 0
//
// holds if all signatures are good and, but for a chance of 2^-128, only then. The terms of one key are added up
// first: accounts that sign often cost less.
type quickEquation struct {
	sum    edwards.Sum
	hash   hash.Hash
	digest [sha512.Size]byte
	random []byte
	keys   map[[PublicKeySize]byte]int // place in factors
	order  [][PublicKeySize]byte       // of the keys, as they came
	factor []scalar.Scalar             // of each key
}

func newQuickEquation() *quickEquation {
	return &quickEquation{hash: sha512.New(), keys: make(map[[PublicKeySize]byte]int, chunkMax)}
}

// basePoint is the encoding of B.
var basePoint = [32]byte{
	0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
}

// coefficientLen is the size of each z.
const coefficientLen = 16

// allGood reports whether every signature of a batch, all of them well shaped, verifies. False says only that
// some may not.
func (v *Verifier) allGood(batch []Signed) bool {
	q := v.quick.Get().(*quickEquation)
	defer v.quick.Put(q)
	return q.holds(batch)
}

func (q *quickEquation) holds(batch []Signed) bool {
	q.reset(len(batch))
	var base scalar.Scalar
	for i := range batch {
		z := [coefficientLen]byte(q.random[i*coefficientLen:])
		if !q.add(&batch[i], &z, &base) {
			return false
		}
	}
	var encoded [32]byte
	for i := range q.order {
		write(&encoded, &q.factor[i])
		q.sum.Add(&q.order[i], &encoded)
	}
	write(&encoded, base.Neg(&base))
	q.sum.Add(&basePoint, &encoded)
	return q.sum.IsTorsion()
}

func (q *quickEquation) reset(n int) {
	q.sum.Reset()
	clear(q.keys)
	q.order, q.factor = q.order[:0], q.factor[:0]
	if n *= coefficientLen; cap(q.random) < n {
		q.random = make([]byte, n)
	}
	q.random = q.random[:n]
	_, _ = rand.Read(q.random) // it never fails: the program would end
}

// add takes in one signature; false says that s is not below the group's order, so that it is none.
func (q *quickEquation) add(s *Signed, z *[coefficientLen]byte, base *scalar.Scalar) bool {
	r, ends := (*[32]byte)(s.Signature[:32]), s.Signature[32:SignatureSize]
	if !scalar.ScMinimalVartime(ends) {
		return false
	}
	q.sum.AddShort(r, z)

	var coefficient, term scalar.Scalar
	var wide [scalar.ScalarSize]byte
	copy(wide[:], z[:])
	read(&coefficient, wide[:])
	read(&term, ends)
	base.Add(base, term.Mul(&term, &coefficient))

	q.hash.Reset()
	_, _ = q.hash.Write(s.Signature[:32]) // hashes take everything
	_, _ = q.hash.Write(s.Public)
	_, _ = q.hash.Write(s.Message)
	if _, err := term.SetBytesModOrderWide(q.hash.Sum(q.digest[:0])); err != nil {
		panic("crypto: a hash is no wide scalar: " + err.Error())
	}
	factor := q.factorOf((*[PublicKeySize]byte)(s.Public))
	factor.Add(factor, term.Mul(&term, &coefficient))
	return true
}

// factorOf is where the multiples of a key are added up. It is valid until the next call.
func (q *quickEquation) factorOf(key *[PublicKeySize]byte) *scalar.Scalar {
	at, ok := q.keys[*key]
	if !ok {
		at = len(q.order)
		q.keys[*key] = at
		q.order = append(q.order, *key)
		q.factor = append(q.factor, scalar.Scalar{})
	}
	return &q.factor[at]
}

// read takes a little-endian scalar below the group's order.
func read(s *scalar.Scalar, b []byte) {
	if _, err := s.SetBits(b); err != nil {
		panic("crypto: a scalar has the wrong length: " + err.Error())
	}
}

func write(b *[32]byte, s *scalar.Scalar) {
	if err := s.ToBytes(b[:]); err != nil {
		panic("crypto: a scalar has the wrong length: " + err.Error())
	}
}
