package h3test

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// send numbers packets from 0 and sends them a millisecond apart, and gives the numbers that came,
// in their order.
func send(t *testing.T, n *Network, count int) []int {
	t.Helper()
	a, b := n.Listen(), n.Listen()
	go func() { // ends with the last packet
		for i := range count {
			p := binary.BigEndian.AppendUint32(nil, uint32(i))
			if _, err := a.WriteTo(p, b.LocalAddr()); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	enough := time.Duration(count)*time.Millisecond + time.Minute
	if err := b.SetReadDeadline(time.Now().Add(enough)); err != nil {
		t.Fatal(err)
	}
	var got []int
	buf := make([]byte, 100)
	for {
		k, from, err := b.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || k != 4 || from.String() != a.Public().String() {
			t.Fatal(k, from, err)
		}
		got = append(got, int(binary.BigEndian.Uint32(buf)))
	}
	a.Close()
	b.Close()
	return got
}

// TestNetwork: each property of a Link does what it says, and about as often.
func TestNetwork(t *testing.T) {
	const count = 10_000
	about := func(t *testing.T, what string, got int, share float64) {
		t.Helper()
		if want := share * count; float64(got) < 0.8*want || float64(got) > 1.2*want {
			t.Errorf("%d %s of %d, want about %.0f", got, what, count, want)
		}
	}
	run := func(t *testing.T, l Link) (got []int, c Counts) {
		synctest.Test(t, func(t *testing.T) {
			n := NewNetwork(1, l)
			got, c = send(t, n, count), n.Counts()
		})
		return got, c
	}
	t.Run("perfect", func(t *testing.T) {
		got, c := run(t, Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond})
		if len(got) != count || !slices.IsSorted(got) {
			t.Errorf("%d of %d packets, sorted %v", len(got), count, slices.IsSorted(got))
		}
		if want := (Counts{Sent: count, Delivered: count}); c != want {
			t.Errorf("%+v, want %+v", c, want)
		}
	})
	t.Run("loss", func(t *testing.T) {
		got, c := run(t, Link{Loss: 0.05})
		about(t, "lost", count-len(got), 0.05)
		if c.Lost != count-len(got) {
			t.Errorf("%+v, but %d are missing", c, count-len(got))
		}
	})
	t.Run("reorder", func(t *testing.T) {
		got, c := run(t, Link{Delay: 20 * time.Millisecond, Reorder: 0.02})
		overtaken := 0
		for i := 1; i < len(got); i++ {
			if got[i] < got[i-1] {
				overtaken++
			}
		}
		about(t, "overtaken", overtaken, 0.02)
		slices.Sort(got)
		if len(slices.Compact(got)) != count || c.Reordered == 0 {
			t.Errorf("%d different packets of %d, %+v", len(slices.Compact(got)), count, c)
		}
	})
	t.Run("duplicate", func(t *testing.T) {
		got, c := run(t, Link{Duplicate: 0.1})
		about(t, "duplicates", len(got)-count, 0.1)
		if c.Duplicated != len(got)-count {
			t.Errorf("%+v, but %d too many came", c, len(got)-count)
		}
	})
	t.Run("same seed", func(t *testing.T) {
		l := Link{Delay: 20 * time.Millisecond, Loss: 0.1, Reorder: 0.1, Duplicate: 0.1}
		a, _ := run(t, l)
		b, _ := run(t, l)
		if !slices.Equal(a, b) {
			t.Error("two runs with one seed differ")
		}
	})
}

// TestNetworkTime: a packet comes after Delay, and after it had its turn by Rate.
func TestNetworkTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, Link{Delay: 25 * time.Millisecond})
		a, b := n.Listen(), n.Listen()
		begin, buf := time.Now(), make([]byte, 2000)
		arrived := func() time.Duration {
			if _, _, err := b.ReadFrom(buf); err != nil {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		a.WriteTo(make([]byte, 1000), b.LocalAddr())
		if d := arrived(); d != 25*time.Millisecond {
			t.Errorf("came after %v", d)
		}
		n.Set(Link{Rate: 10_000, Queue: 1500})
		begin = time.Now()
		for range 10 {
			a.WriteTo(make([]byte, 1000), b.LocalAddr())
		}
		for i := range 2 {
			if d, want := arrived(), time.Duration(i+1)*100*time.Millisecond; d != want {
				t.Errorf("packet %d came after %v, want %v", i, d, want)
			}
		}
		n.Set(Link{})
		a.WriteTo(make([]byte, defaultMTU+1), b.LocalAddr())
		if c := n.Counts(); c.Dropped != 9 {
			t.Errorf("%d dropped, want 8 past the queue and 1 past the MTU", c.Dropped)
		}
		a.Close()
		b.Close()
	})
}

// TestNetworkRebind: a client behind a NAT is seen under another address, and the old one is gone.
func TestNetworkRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1, Link{})
		client, server := n.Listen(), n.Listen()
		buf := make([]byte, 10)
		from := func() net.Addr {
			client.WriteTo([]byte("hi"), server.LocalAddr())
			_, a, err := server.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		old := from()
		client.Rebind()
		now := from()
		if now.String() == old.String() {
			t.Fatalf("still %v", now)
		}
		server.WriteTo([]byte("lost"), old)
		server.WriteTo([]byte("new"), now)
		if k, _, err := client.ReadFrom(buf); err != nil || string(buf[:k]) != "new" {
			t.Errorf("%q, %v", buf[:k], err)
		}
		client.Cut(true)
		server.WriteTo([]byte("cut"), now)
		client.Cut(false)
		server.WriteTo([]byte("on"), now)
		if k, _, err := client.ReadFrom(buf); err != nil || string(buf[:k]) != "on" {
			t.Errorf("%q, %v", buf[:k], err)
		}
		go func() { // ends with Close
			if _, _, err := client.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a read at Close: %v", err)
			}
		}()
		synctest.Wait()
		client.Close()
		if _, err := client.WriteTo(nil, now); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write after Close: %v", err)
		}
		server.Close()
	})
}
