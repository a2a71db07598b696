package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Frame is one event of a stream as it travels. An empty one is a sign of life.
type Frame struct {
	ID    string
	Event string
	Data  []byte
}

// Append writes the frame as a server sends it.
func (f Frame) Append(b []byte) []byte {
	if f.ID == "" && f.Event == "" && len(f.Data) == 0 {
		return append(b, ":\n\n"...)
	}
	if f.ID != "" {
		b = append(append(append(b, "id: "...), f.ID...), '\n')
	}
	if f.Event != "" {
		b = append(append(append(b, "event: "...), f.Event...), '\n')
	}
	if len(f.Data) > 0 {
		for line := range bytes.SplitSeq(f.Data, []byte{'\n'}) {
			b = append(append(append(b, "data: "...), line...), '\n')
		}
	}
	return append(b, '\n')
}

// Reader reads the frames of a stream.
type Reader struct{ r *bufio.Reader }

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 4096)} }

// ErrTooLarge says that a frame is larger than any event is.
var ErrTooLarge = errors.New("the node sent an event that is larger than any can be")

// Next reads the next frame, up to the blank line that ends it. What is not ended is no frame: it may be cut off in
// the middle of a number. Fields that are not known count for nothing.
func (r *Reader) Next() (Frame, error) {
	var f Frame
	left := frameBytesMax
	for {
		line, err := r.line(&left)
		if err != nil {
			return Frame{}, err
		}
		if len(line) == 0 {
			return f, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(name) {
		case "id":
			f.ID = string(value)
		case "event":
			f.Event = string(value)
		case "data":
			if f.Data != nil {
				f.Data = append(f.Data, '\n')
			}
			f.Data = append(f.Data, value...)
		}
	}
}

// line reads a line without its end. The result is valid until the next call.
func (r *Reader) line(left *int) ([]byte, error) {
	var long []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if *left -= len(part); *left < 0 {
			return nil, ErrTooLarge
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case errors.Is(err, io.EOF) && len(part)+len(long) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		if long != nil {
			part = append(long, part...)
		}
		return bytes.TrimRight(bytes.TrimSuffix(part, []byte{'\n'}), "\r"), nil
	}
}
