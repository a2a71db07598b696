package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Check reads a chart as XML and says what of it is not on the paper: for the tests of who draws charts.
func Check(svg []byte) error {
	var faults []error
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return errors.Join(faults...)
		}
		if err != nil {
			return err
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			v, err := strconv.ParseFloat(a.Value, 64)
			across := a.Name.Local == "cx" || a.Name.Local == "x" || a.Name.Local == "width"
			down := a.Name.Local == "cy" || a.Name.Local == "y" || a.Name.Local == "height"
			if (across || down) && (err != nil || math.IsNaN(v) || v < 0 || across && v > width || down && v > height) {
				faults = append(faults, fmt.Errorf("<%s %s=%q>", element.Name.Local, a.Name.Local, a.Value))
			}
		}
	}
}
