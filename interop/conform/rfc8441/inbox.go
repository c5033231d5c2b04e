package rfc8441

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"weir/h2/h2test"
	"weir/interop/conform"
)

// What a server may make the suite keep, at most.
const (
	maxFrame  = 16384 // SETTINGS_MAX_FRAME_SIZE, which the suite leaves as it is
	maxUnread = 16 << 20
)

// inbox is a connection and the frames that came over it and were not taken yet. Whatever a case
// does, its connection is read, so that a server is never blocked by its own writes.
type inbox struct {
	nc   net.Conn
	gone chan struct{} // closed when the reader has ended

	mu     sync.Mutex
	frames []h2test.Frame
	size   int
	err    error         // why nothing more comes
	more   chan struct{} // something above changed
}

func newInbox(nc net.Conn) *inbox {
	in := &inbox{nc: nc, gone: make(chan struct{}), more: make(chan struct{}, 1)}
	go in.read() // ends with the connection, which close ends
	return in
}

// close ends the connection, and waits for its reader.
func (in *inbox) close() {
	in.nc.Close()
	<-in.gone
}

// write sends octets, waiting at most for d. What is wrong with a connection shows when it is read.
func (in *inbox) write(b []byte, d time.Duration) error {
	if err := in.nc.SetWriteDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	_, err := in.nc.Write(b)
	return err
}

func (in *inbox) read() {
	defer close(in.gone)
	var dec h2test.Decoder
	var rest []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := in.nc.Read(buf)
		rest = append(rest, buf[:n]...)
		var fs []h2test.Frame
		size := 0
		for err == nil || n > 0 {
			f, length, ferr := frame(&dec, rest)
			if ferr != nil {
				err = ferr
				break
			}
			if length == 0 {
				break
			}
			rest = rest[length:]
			fs, size = append(fs, f), size+length
		}
		in.put(fs, size, err)
		if err != nil {
			in.nc.Close()
			return
		}
	}
}

// frame takes one frame from the front of b: length octets, 0 while it is not whole.
func frame(dec *h2test.Decoder, b []byte) (f h2test.Frame, length int, err error) {
	if len(b) < 9 {
		return f, 0, nil
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if n > maxFrame {
		return f, 0, fmt.Errorf("a frame of %d octets, over SETTINGS_MAX_FRAME_SIZE, or no HTTP/2 at all: %q (RFC 9113, 4.2)", n, b[:min(len(b), 24)])
	}
	if len(b) < 9+n {
		return f, 0, nil
	}
	fs, err := dec.Feed(b[:9+n])
	if err != nil || len(fs) != 1 {
		return f, 0, fmt.Errorf("octets that are no frame (RFC 9113, 4): %w", errors.Join(err))
	}
	return fs[0], 9 + n, nil
}

func (in *inbox) put(fs []h2test.Frame, size int, err error) {
	in.mu.Lock()
	in.frames = append(in.frames, fs...)
	in.size += size
	if in.size > maxUnread && err == nil {
		err = fmt.Errorf("more than %d octets that nobody asked for", maxUnread)
		in.nc.Close()
	}
	if in.err == nil {
		in.err = err
	}
	in.mu.Unlock()
	select {
	case in.more <- struct{}{}:
	default:
	}
}

// take takes the next frame. It waits until the deadline, os.ErrDeadlineExceeded, or the end of ctx
// or the connection.
func (in *inbox) take(ctx context.Context, due conform.Deadline) (h2test.Frame, error) {
	timer := time.NewTimer(due.Left())
	defer timer.Stop()
	for {
		in.mu.Lock()
		if len(in.frames) > 0 {
			f := in.frames[0]
			in.frames = in.frames[1:]
			in.size -= 9 + len(f.Payload)
			in.mu.Unlock()
			return f, nil
		}
		err := in.err
		in.mu.Unlock()
		if err != nil {
			return h2test.Frame{}, err
		}
		select {
		case <-in.more:
		case <-timer.C:
			left := due.Left()
			if left <= 0 {
				return h2test.Frame{}, os.ErrDeadlineExceeded
			}
			timer.Reset(left)
		case <-ctx.Done():
			return h2test.Frame{}, ctx.Err()
		}
	}
}
