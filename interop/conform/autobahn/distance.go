package autobahn

import "errors"

// reach reads a DEFLATE stream (RFC 1951) and says how far back the farthest reference in it goes, which tells whether a sender keeps to the window that
// it agreed to (RFC 7692, 7.1.2): an ordinary inflater with a larger window does not notice. The stream ends with a sync flush whose tail is there.
func reach(b []byte) (farthest int, err error) {
	r := &bitReader{b: b}
	for !r.done() {
		last := r.take(1)
		switch r.take(2) {
		case 0:
			r.align()
			n := r.take(16)
			if r.take(16) != n^0xffff {
				return farthest, errStream
			}
			r.skip(n)
		case 1:
			err = r.block(fixedLengths(), &farthest)
		case 2:
			var lengths [2][]int
			if lengths, err = r.dynamic(); err == nil {
				err = r.block(lengths, &farthest)
			}
		default:
			err = errStream
		}
		if err != nil || r.over {
			return farthest, errors.Join(err, r.err())
		}
		if last == 1 {
			r.align()
		}
	}
	return farthest, nil
}

var errStream = errors.New("no DEFLATE stream (RFC 1951)")

// bitReader takes bits, the lowest first.
type bitReader struct {
	b    []byte
	at   int // bits
	over bool
}

func (r *bitReader) done() bool { return r.at >= 8*len(r.b) }
func (r *bitReader) align()     { r.at = (r.at + 7) &^ 7 }
func (r *bitReader) skip(n int) { r.at += 8 * n; r.over = r.over || r.at > 8*len(r.b) }

func (r *bitReader) err() error {
	if r.over {
		return errStream
	}
	return nil
}

func (r *bitReader) take(n int) (v int) {
	for i := range n {
		if r.done() {
			r.over = true
			return 0
		}
		v |= int(r.b[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

// code is a canonical Huffman code: how many codes each length has, and the symbols in order.
type code struct {
	counts  [16]int
	symbols []int
}

func newCode(lengths []int) (c code) {
	for n := 1; n < 16; n++ {
		for s, l := range lengths {
			if l == n {
				c.counts[n]++
				c.symbols = append(c.symbols, s)
			}
		}
	}
	return c
}

func (c *code) next(r *bitReader) int {
	v, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		v |= r.take(1)
		if count := c.counts[n]; v-first < count {
			return c.symbols[index+v-first]
		} else {
			index += count
			first = (first + count) << 1
		}
		v <<= 1
	}
	r.over = true
	return 256
}

func fixedLengths() [2][]int {
	l, d := make([]int, 288), make([]int, 30)
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	for i := range d {
		d[i] = 5
	}
	return [2][]int{l, d}
}

// dynamic reads the code lengths of a block (RFC 1951, 3.2.7).
func (r *bitReader) dynamic() (lengths [2][]int, err error) {
	nl, nd, nc := 257+r.take(5), 1+r.take(5), 4+r.take(4)
	var cl [19]int
	for i := range nc {
		cl[[...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[i]] = r.take(3)
	}
	c := newCode(cl[:])
	var all []int
	for len(all) < nl+nd && !r.over {
		s := c.next(r)
		repeat, value := 1, s
		switch s {
		case 16:
			if len(all) == 0 {
				return lengths, errStream
			}
			repeat, value = 3+r.take(2), all[len(all)-1]
		case 17:
			repeat, value = 3+r.take(3), 0
		case 18:
			repeat, value = 11+r.take(7), 0
		}
		for range repeat {
			all = append(all, value)
		}
	}
	if r.over || len(all) != nl+nd {
		return lengths, errStream
	}
	return [2][]int{all[:nl], all[nl:]}, nil
}

// block reads the symbols of a block.
func (r *bitReader) block(lengths [2][]int, farthest *int) error {
	l, d := newCode(lengths[0]), newCode(lengths[1])
	for !r.over {
		s := l.next(r)
		switch {
		case s == 256:
			return r.err()
		case s > 285:
			return errStream
		case s > 264 && s < 285:
			r.take((s - 261) / 4) // the rest of the length
		}
		if s < 256 {
			continue
		}
		switch s = d.next(r); {
		case r.over || s > 29:
			return errStream
		case s < 4:
			*farthest = max(*farthest, s+1)
		default:
			extra := s/2 - 1
			*farthest = max(*farthest, (2+s&1)<<extra+1+r.take(extra))
		}
	}
	return errStream
}
