// Package edwards adds up multiples of points of edwards25519, many at once, on processors with AVX-512 IFMA.
//
// A batch of signatures is good if one such sum is of small order; package crypto makes the sum and asks. Points
// are decoded eight at a time and added with four field multiplications at a time, which takes a third of what
// the portable library takes.
//
// Nothing depends on this package being right that is not checked elsewhere but one thing: a sum must not pass
// for small when it is not. A sum that does not pass is checked again, signature by signature, by the portable
// library. The tests compare every step with big integers and every verdict with that library.
//
//	var s edwards.Sum
//	s.Add(&a, &k)        // k A
//	s.AddShort(&r, &z)   // z R
//	ok := s.IsTorsion()  // 8 (k A + z R) = 0
//
// Time depends on the values: nothing secret may come near it.
package edwards
