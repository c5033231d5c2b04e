package h2

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestInbox: what comes out of an inbox is what was put in, in order, in pieces of any size; and
// each octet's credit is counted once: as free to read without the connection's lock, as spent, or
// as left.
func TestInbox(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var in inbox
		var put, got []byte
		given := 0
		for range 200 {
			p := make([]byte, r.IntN(3)*r.IntN(20_000))
			switch r.IntN(5) {
			case 0, 1:
				for i := range p {
					p[i] = byte(r.Int())
				}
				put = append(put, p...)
				in.put(p)
				clear(p) // it was lent
			case 2:
				got = append(got, p[:in.tryRead(p)]...)
				if in.spent > 0 && in.spent >= in.free {
					t.Fatalf("%d octets were read without the lock, %d were free", in.spent, in.free)
				}
			case 3:
				got = append(got, p[:in.take(p)]...)
			case 4:
				given += in.spent
				in.spent, in.free = 0, r.IntN(100_000)
			}
			if in.len() != len(put)-len(got) || given+in.spent != len(got) {
				t.Fatalf("%d octets in, %d out: %d are left, %d spent, %d given back",
					len(put), len(got), in.len(), in.spent, given)
			}
			if in.spent >= in.free {
				given += in.spent
				in.spent = 0
			}
		}
		if r.IntN(2) == 0 {
			got = append(got, in.all()...)
			if spent, left := in.drop(); spent != 0 || left != 0 {
				t.Fatal("all is its new owner's to give back")
			}
		} else if spent, left := in.drop(); spent != len(got)-given || left != len(put)-len(got) {
			t.Fatalf("%d octets spent at the end, %d left, want %d and %d",
				spent, left, len(got)-given, len(put)-len(got))
		}
		if !bytes.Equal(got, put[:len(got)]) {
			t.Fatal("octets have changed")
		}
		if in.put([]byte("x")); in.tryRead(make([]byte, 1)) != 0 {
			t.Fatal("it can be read after the end")
		}
	}
}

// TestInboxKeepsNoRoom: an inbox that was read to its end holds no chunk, and a small body none of
// full size.
func TestInboxKeepsNoRoom(t *testing.T) {
	var in inbox
	in.put(make([]byte, 100))
	if n := cap(in.first.b); n > 200 {
		t.Errorf("100 octets are kept in %d", n)
	}
	in.put(make([]byte, 50_000))
	if in.take(make([]byte, 60_000)) != 50_100 || in.first != nil || in.last != nil {
		t.Error("something is left")
	}
}
