package stream_test

import (
	"errors"
	"net"
	"testing"

	"weir/stream"
)

func TestErrorsUnwrap(t *testing.T) {
	for _, err := range []error{stream.ErrClosed, &stream.ResetError{Code: stream.Cancel}, &stream.ResetError{Remote: true}} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v is not net.ErrClosed", err)
		}
	}
	if errors.Is(stream.ErrHalfClosed, net.ErrClosed) {
		t.Error("ErrHalfClosed is net.ErrClosed")
	}
}

// RFC 9113, 7.
func TestCodeNames(t *testing.T) {
	for c, want := range map[stream.Code]string{stream.NoError: "NO_ERROR", stream.Cancel: "CANCEL", 0x77: "code 0x77"} {
		if c.String() != want {
			t.Errorf("%d is %q, want %q", uint32(c), c, want)
		}
	}
}
