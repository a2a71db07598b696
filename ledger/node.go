package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
)

// Node is the leaf of a validator's node: how to reach it, the key it signs with outside consensus, and where
// its operator says it stands. That it stands there no protocol can prove: people say so, and are counted.
type Node struct {
	// ServiceKey is ed25519. What it signs says something of the node, never of the chain.
	ServiceKey []byte
	// Claimed is the region the operator names; empty for none.
	Claimed string
	// Approved: validators with more than two thirds of the power have agreed with the claim. A new claim
	// begins again.
	Approved bool
	// Approvals are the validators that agree with the claim, ascending; the one that claims is among them.
	Approvals []crypto.ValidatorID
	// URLs are where the HTTP API answers.
	URLs []string
	// Plane is the multiaddr of the app plane; empty for none.
	Plane string
}

// Region is the approved region; empty for none.
func (n *Node) Region() string {
	if n.Approved {
		return n.Claimed
	}
	return ""
}

// Append appends the leaf's encoding.
func (n *Node) Append(b []byte) []byte {
	b = append(append(b, leafVersion), n.ServiceKey...)
	b = appendText(b, n.Claimed)
	if n.Approved {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(n.Approvals)))
	for i := range n.Approvals {
		b = append(b, n.Approvals[i][:]...)
	}
	b = append(b, byte(len(n.URLs)))
	for _, url := range n.URLs {
		b = appendText(b, url)
	}
	return appendText(b, n.Plane)
}

// appendText appends text after its length of one byte.
func appendText(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) }

// DecodeNode reads a node's leaf.
func DecodeNode(b []byte) (Node, error) {
	r := readLeaf(b)
	n := Node{ServiceKey: bytes.Clone(r.take(crypto.PublicKeySize))}
	n.Claimed = string(r.take(r.count("characters", RegionMax)))
	approved := r.u8()
	n.Approved = approved == 1
	n.Approvals = r.ids()
	for range r.count("urls", NodeURLsMax) {
		n.URLs = append(n.URLs, string(r.take(r.count("characters", NodeURLMax))))
	}
	n.Plane = string(r.take(r.count("characters", PlaneMax)))
	if r.fault == "" {
		switch {
		case checkKey(uint32(crypto.KeyEd25519), n.ServiceKey) != nil:
			r.fail("bad service key")
		case CheckRegion(n.Claimed) != nil:
			r.fail("bad region")
		case approved > 1 || n.Claimed == "" && (n.Approved || len(n.Approvals) > 0):
			r.fail("approvals of no region")
		case checkURLs(n.URLs) != nil:
			r.fail("bad url")
		case checkPlane(n.Plane) != nil:
			r.fail("bad plane address")
		}
	}
	return n, r.end("node")
}

// CheckRegion accepts a hierarchical tag such as eu/de/fra1, or none.
func CheckRegion(region string) *Reject {
	if region == "" {
		return nil
	}
	if len(region) > RegionMax {
		return reject(CodeBadField, "region has %d characters, at most %d allowed", len(region), RegionMax)
	}
	levels := strings.Split(region, "/")
	if len(levels) > RegionLevelsMax {
		return reject(CodeBadField, "region %q has %d levels, at most %d allowed", region, len(levels), RegionLevelsMax)
	}
	for _, level := range levels {
		if level == "" || !onlyOf(level, "-", false) {
			return reject(CodeBadField, "region %q: a level is lower-case letters, digits and -, such as in eu/de/fra1", region)
		}
	}
	return nil
}

// RegionWithin reports whether a region is another one or lies in it: eu/de lies in eu. Everything lies in none.
func RegionWithin(region, in string) bool {
	return in == "" || region == in || strings.HasPrefix(region, in+"/")
}

// checkURLs accepts addresses of an HTTP API and nothing that would do more than name a place: no query, no
// password, no character that means something in a terminal or on a page. It does not ask a library, whose
// next version may judge otherwise.
func checkURLs(urls []string) *Reject {
	if len(urls) > NodeURLsMax {
		return reject(CodeTooMany, "%d urls, at most %d allowed", len(urls), NodeURLsMax)
	}
	for i, url := range urls {
		if len(url) > NodeURLMax {
			return reject(CodeBadField, "it has %d characters, at most %d allowed", len(url), NodeURLMax).at("urls", i)
		}
		host, web := strings.CutPrefix(url, "https://")
		if !web {
			host, web = strings.CutPrefix(url, "http://")
		}
		if !web || host == "" || host[0] == '/' || !onlyOf(host, "-._~:/[]%", true) {
			return reject(CodeBadField, "%q is not a plain http or https address", url).at("urls", i)
		}
		if slices.Contains(urls[:i], url) {
			return reject(CodeBadField, "%q appears twice", url).at("urls", i)
		}
	}
	return nil
}

// checkPlane accepts what looks like a multiaddr, such as /ip4/127.0.0.1/tcp/26659, or none. Whoever dials it
// parses it.
func checkPlane(plane string) *Reject {
	if len(plane) > PlaneMax {
		return reject(CodeBadField, "plane has %d characters, at most %d allowed", len(plane), PlaneMax)
	}
	if plane == "" {
		return nil
	}
	if plane[0] != '/' || strings.HasSuffix(plane, "/") || strings.Contains(plane, "//") || !onlyOf(plane, "-._:/", true) {
		return reject(CodeBadField, "plane %q is not a multiaddr such as /ip4/192.0.2.1/tcp/26659", plane)
	}
	return nil
}

// onlyOf reports whether text holds only digits, lower-case letters, these signs and perhaps capitals.
func onlyOf(text, signs string, capitals bool) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', capitals && c >= 'A' && c <= 'Z':
		case strings.IndexByte(signs, c) >= 0:
		default:
			return false
		}
	}
	return true
}

type nodeCell = cell[crypto.ValidatorID, Node]

// approve counts who agrees with a node's claim. The power is that of now: once approved, a claim stays so.
func (s *state) approve(n *nodeCell) error {
	ids, err := s.ids.get(s, struct{}{})
	if err != nil {
		return err
	}
	var all, agree uint64 // three times all stays far below the end: see ValidatorPowerMax
	for _, id := range ids.value {
		v, err := s.validators.get(s, id)
		if err != nil {
			return err
		}
		all += v.value.Power
		if _, agrees := slices.BinarySearchFunc(n.value.Approvals, id, compareIDs); agrees {
			agree += v.value.Power
		}
	}
	if 3*agree > 2*all {
		n.value.Approved = true
	}
	return nil
}
