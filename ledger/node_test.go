package ledger

import (
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// TestNodeBounds tries every limit of a node's registration at its last good value and one beyond.
func TestNodeBounds(t *testing.T) {
	id, key := validatorNamed("v1"), testKey("service").public
	a := func(n int) string { return strings.Repeat("a", n) }
	for name, c := range map[string]struct {
		change func(*SetNode)
		want   Code
	}{
		"as it is":            {func(*SetNode) {}, CodeOK},
		"short id":            {func(m *SetNode) { m.Validator = id[1:] }, CodeBadField},
		"no key":              {func(m *SetNode) { m.ServiceKey = nil }, CodeBadField},
		"long key":            {func(m *SetNode) { m.ServiceKey = append([]byte{1}, key...) }, CodeBadField},
		"key of small order":  {func(m *SetNode) { m.ServiceKey = make([]byte, 32) }, CodeBadField},
		"longest region":      {func(m *SetNode) { m.Region = a(RegionMax) }, CodeOK},
		"long region":         {func(m *SetNode) { m.Region = a(RegionMax + 1) }, CodeBadField},
		"deepest region":      {func(m *SetNode) { m.Region = "eu/de/fra-1" }, CodeOK},
		"deep region":         {func(m *SetNode) { m.Region = "eu/de/fra/1" }, CodeBadField},
		"region with capital": {func(m *SetNode) { m.Region = "Eu" }, CodeBadField},
		"region with gap":     {func(m *SetNode) { m.Region = "eu//fra1" }, CodeBadField},
		"region with end":     {func(m *SetNode) { m.Region = "eu/" }, CodeBadField},
		"region with space":   {func(m *SetNode) { m.Region = "e u" }, CodeBadField},
		"most urls":           {func(m *SetNode) { m.Urls = someURLs(NodeURLsMax) }, CodeOK},
		"many urls":           {func(m *SetNode) { m.Urls = someURLs(NodeURLsMax + 1) }, CodeTooMany},
		"longest url":         {func(m *SetNode) { m.Urls = []string{"https://" + a(NodeURLMax-8)} }, CodeOK},
		"long url":            {func(m *SetNode) { m.Urls = []string{"https://" + a(NodeURLMax-7)} }, CodeBadField},
		"url of numbers":      {func(m *SetNode) { m.Urls = []string{"http://[2001:db8::1%25eth0]:80/a_b"} }, CodeOK},
		"url twice":           {func(m *SetNode) { m.Urls = []string{"http://a", "http://a"} }, CodeBadField},
		"url without host":    {func(m *SetNode) { m.Urls = []string{"http:///a"} }, CodeBadField},
		"url without scheme":  {func(m *SetNode) { m.Urls = []string{"a.example"} }, CodeBadField},
		"url with password":   {func(m *SetNode) { m.Urls = []string{"http://a:b@c"} }, CodeBadField},
		"url with query":      {func(m *SetNode) { m.Urls = []string{"http://a?b"} }, CodeBadField},
		"url with markup":     {func(m *SetNode) { m.Urls = []string{"http://a<b"} }, CodeBadField},
		"url empty":           {func(m *SetNode) { m.Urls = []string{""} }, CodeBadField},
		"longest plane":       {func(m *SetNode) { m.Plane = "/" + a(PlaneMax-1) }, CodeOK},
		"long plane":          {func(m *SetNode) { m.Plane = "/" + a(PlaneMax) }, CodeBadField},
		"plane of a name":     {func(m *SetNode) { m.Plane = "/dns4/a.example/tcp/1/p2p/12D3KooW" }, CodeOK},
		"plane with gap":      {func(m *SetNode) { m.Plane = "/ip4//tcp" }, CodeBadField},
		"plane with end":      {func(m *SetNode) { m.Plane = "/ip4/" }, CodeBadField},
		"plane without slash": {func(m *SetNode) { m.Plane = "ip4/1" }, CodeBadField},
	} {
		m := SetNode{Validator: id[:], ServiceKey: key}
		c.change(&m)
		if r := m.validate(crypto.Address{}); c.want == 0 && r != nil || c.want != 0 && (r == nil || r.Code != c.want) {
			t.Errorf("%s: %v, want %s", name, r, c.want)
		}
	}
	for region, want := range map[string]Code{"eu": 0, "": CodeBadField, "-/": CodeBadField} {
		m := ApproveRegion{Validator: id[:], Region: region}
		if r := m.validate(crypto.Address{}); want == 0 && r != nil || want != 0 && (r == nil || r.Code != want) {
			t.Errorf("approve %q: %v, want %s", region, r, want)
		}
	}
}

// TestRegionWithin: a region contains itself and what is below it, and not what only begins alike.
func TestRegionWithin(t *testing.T) {
	for _, c := range []struct {
		region, in string
		want       bool
	}{
		{"eu", "eu", true},
		{"eu/de", "eu", true},
		{"eu/de/fra1", "eu/de", true},
		{"eu", "", true},
		{"", "", true},
		{"eu", "eu/de", false},
		{"europe", "eu", false},
		{"eu/de2", "eu/de", false},
		{"", "eu", false},
		{"us", "eu", false},
	} {
		if got := RegionWithin(c.region, c.in); got != c.want {
			t.Errorf("%q within %q: %v", c.region, c.in, got)
		}
	}
}
