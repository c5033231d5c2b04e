package stream_test

import (
	"testing"

	"weir/stream"
	"weir/stream/streamtest"
)

func TestPipe(t *testing.T) {
	streamtest.RunFake(t, func(*testing.T) (a, b stream.Stream) { return stream.Pipe() })
}
