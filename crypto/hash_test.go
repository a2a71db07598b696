package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestSumIsSHA256 compares with the standard library around the size that is gathered on the stack.
func TestSumIsSHA256(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 80)
	for _, n := range []int{
		0, 1, 55, sumStackBytes - TagSize - 1, sumStackBytes - TagSize, sumStackBytes - TagSize + 1,
		sumStackBytes - 1, sumStackBytes, sumStackBytes + 1, 1000,
	} {
		want := Hash(sha256.Sum256(data[:n]))
		for _, cut := range []int{0, 1, n / 2, n - 1, n} {
			if cut < 0 || cut > n {
				continue
			}
			if got := Sum(data[:cut], data[cut:n]); got != want {
				t.Errorf("Sum of %d bytes cut at %d: %s, want %s", n, cut, got, want)
			}
			tagged := Hash(sha256.Sum256(slices.Concat(TagTx[:], data[:n])))
			if got := SumTagged(TagTx, data[:cut], data[cut:n]); got != tagged {
				t.Errorf("SumTagged of %d bytes cut at %d: %s, want %s", n, cut, got, tagged)
			}
		}
		if got := Sum(data[:n]); got != want {
			t.Errorf("Sum of one part of %d bytes: %s, want %s", n, got, want)
		}
	}
	if Sum() != sha256.Sum256(nil) {
		t.Error("Sum of nothing is not the digest of nothing")
	}
}

func TestSumDoesNotAllocate(t *testing.T) {
	left, right := make([]byte, 32), make([]byte, 32)
	if n := testing.AllocsPerRun(100, func() { Sum(left, right); SumTagged(TagLog, left, right) }); n != 0 {
		t.Errorf("hashing two nodes allocates %v times", n)
	}
}

// TestTagsPinned pins the text of every tag: a changed one would change every digest and
// signature ever made under it.
func TestTagsPinned(t *testing.T) {
	want := map[Tag]string{
		TagTx:             "tetrad/tx/1",
		TagTxID:           "tetrad/txid/1",
		TagAccount:        "tetrad/account/1",
		TagCreatedAccount: "tetrad/created/1",
		TagSystem:         "tetrad/system/1",
		TagAsset:          "tetrad/asset/1",
		TagValidator:      "tetrad/val/1",
		TagLog:            "tetrad/log/1",
		TagReceipt:        "tetrad/receipt/1",
		TagAttestation:    "tetrad/attest/1",
		TagGenesis:        "tetrad/genesis/1",
		TagDevKey:         "tetrad/devkey/1",
	}
	if len(want) != 12 {
		t.Errorf("two tags are equal: %d differ, want 12", len(want))
	}
	for tag, text := range want {
		if tag.String() != text {
			t.Errorf("tag %q should be %q", tag, text)
		}
		if !bytes.Equal(tag[:], append([]byte(text), make([]byte, TagSize-len(text))...)) {
			t.Errorf("tag %q is not padded by zeros", tag)
		}
	}
}

func TestTagTooLong(t *testing.T) {
	if tag("0123456789abcdef").String() != "0123456789abcdef" {
		t.Error("a tag of 16 bytes is cut")
	}
	defer func() {
		if recover() == nil {
			t.Error("a tag of 17 bytes is accepted")
		}
	}()
	tag("0123456789abcdefg")
}

func TestSignBytes(t *testing.T) {
	genesis, body := Sum([]byte("genesis")), Sum([]byte("body"))
	got := SignBytes(TagTx, genesis, body)
	want := "7465747261642f74782f310000000000" + genesis.String() + body.String()
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("sign bytes %x, want %s", got, want)
	}
}

func TestHashText(t *testing.T) {
	h := Sum([]byte("abc"))
	const text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if h.String() != text {
		t.Fatalf("sha256(abc) is %s", h)
	}
	for _, form := range []string{text, strings.ToUpper(text)} {
		if got, err := ParseHash(form); err != nil || got != h {
			t.Errorf("ParseHash(%s) = %s, %v", form, got, err)
		}
	}
	if h.IsZero() || !(Hash{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	_, err := ParseHash(text[:63])
	wantError(t, err, "64 hexadecimal digits", "63 characters")
	_, err = ParseHash(text + "0")
	wantError(t, err, "65 characters")
	_, err = ParseHash("g" + text[1:])
	wantError(t, err, "not hexadecimal")

	raw, err := json.Marshal(map[string]Hash{"h": h})
	if err != nil || string(raw) != `{"h":"`+text+`"}` {
		t.Fatalf("JSON is %s, %v", raw, err)
	}
	var back map[string]Hash
	if err := json.Unmarshal(raw, &back); err != nil || back["h"] != h {
		t.Fatalf("JSON reads back as %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"h":"12"}`), &back); err == nil {
		t.Error("a short hash is read from JSON")
	}
}
