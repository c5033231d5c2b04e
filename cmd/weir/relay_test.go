package main

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"weir/stream"
)

// fakeEnd is what stands at an end of a relay. It releases nothing by itself.
type fakeEnd struct {
	mu   sync.Mutex
	got  []byte
	fin  bool
	over bool
	err  error
}

func (f *fakeEnd) Data(b []byte, fin bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, b...)
	f.fin = f.fin || fin
}

func (f *fakeEnd) Drained() {}

func (f *fakeEnd) Closed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.err = true, err
}

// relayed gives the far ends of a relay, and who stands there.
func relayed(window int) (a, b stream.Stream, atA, atB *fakeEnd) {
	a, x := stream.Pipe()
	b, y := stream.Pipe()
	atA, atB = new(fakeEnd), new(fakeEnd)
	a.Attach(atA, stream.Limits{Window: window})
	b.Attach(atB, stream.Limits{Window: window})
	relay(x, y, window)
	return a, b, atA, atB
}

// A side that is not read holds the other back: what is between them is bounded, and all of it arrives once it is read.
func TestRelayHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window, size = 1000, 1 << 20
		a, b, _, atB := relayed(window)
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		if _, err := a.Send([][]byte{sent}, false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		queued, err := a.Send(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		if passed := size - queued; passed < window || passed > 2*window+relayLow || len(atB.got) != window {
			t.Errorf("%d octets left the sender and %d arrived, with a window of %d", passed, len(atB.got), window)
		}
		for released := 0; released < size; {
			n := len(atB.got) - released
			if n == 0 {
				t.Fatalf("stuck after %d octets", released)
			}
			b.Release(n)
			released += n
			synctest.Wait()
		}
		if _, err := a.Send(nil, true); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if !bytes.Equal(atB.got, sent) || !atB.fin || atB.over {
			t.Errorf("%d octets, end %v, over %v", len(atB.got), atB.fin, atB.over)
		}
		if _, err := b.Send([][]byte{[]byte("the other way")}, true); err != nil { // half closed
			t.Error(err)
		}
		synctest.Wait()
		if !atB.over || atB.err != nil {
			t.Errorf("both sides have ended: %v, %v", atB.over, atB.err)
		}
	})
}

// What cuts one side cuts the other, with CANCEL; what ends it quietly lets what is on its way arrive.
func TestRelayEnds(t *testing.T) {
	for code, want := range map[stream.Code]stream.Code{
		stream.Cancel: stream.Cancel, stream.ProtocolError: stream.Cancel, stream.RefusedStream: stream.Cancel, stream.NoError: stream.NoError,
	} {
		for _, fromA := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				a, b, atA, atB := relayed(1000)
				if !fromA {
					a, b, atA, atB = b, a, atB, atA
				}
				if _, err := a.Send([][]byte{[]byte("last words")}, false); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				a.Reset(code)
				synctest.Wait()
				if re, ok := errors.AsType[*stream.ResetError](atB.err); !atB.over || !ok || re.Code != want || !re.Remote {
					t.Errorf("%v: the other side ends with %v, want %v of the peer", code, atB.err, want)
				}
				if string(atB.got) != "last words" || !atA.over {
					t.Errorf("%v: %q arrived; over %v", code, atB.got, atA.over)
				}
			})
		}
	}
}
