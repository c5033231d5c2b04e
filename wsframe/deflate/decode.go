package deflate

import "encoding/binary"

// tables is those of the block at hand.
func (f *inflater) tables() *tables {
	if f.fixed {
		return fixedTables()
	}
	return &f.own
}

// decode decodes a block of codes to buf[n:] until it ends or the room does.
func (f *inflater) decode(buf []byte, base, n int) (int, status) {
	t := f.tables()
	history := len(f.old) + len(f.recent)
	in, pos, acc, nb := f.in, f.pos, f.bits, f.nb
	s, beyond := corrupt, false
loop:
	for {
		if len(buf)-n < slack {
			s = full
			break
		}
		// A length and a distance are 48 bits at most, so one refill does for both.
		if nb < 48 {
			if len(in)-pos >= 8 {
				acc |= binary.LittleEndian.Uint64(in[pos:]) << (nb & 63)
				pos += int((63 - nb) >> 3)
				nb |= 56
			} else {
				f.pos, f.bits, f.nb = pos, acc, nb
				f.refill()
				in, pos, acc, nb = f.in, f.pos, f.bits, f.nb
			}
		}
		e := t.literal[acc&(1<<literalBits-1)]
		if e&kindMore != 0 {
			e = t.literal[e>>16+uint32(acc>>literalBits)&(1<<(e>>8&15)-1)]
		}
		used := uint(e & 15)
		if used > nb {
			break
		}
		if e&kindLiteral != 0 {
			acc >>= used & 63
			nb -= used
			buf[n] = byte(e >> 16)
			n++
			continue
		}
		if e&kindCopy == 0 {
			if e&kindEnd != 0 {
				acc >>= used & 63
				nb -= used
				f.block, s = noBlock, running
			}
			break
		}
		extra := uint(e >> 8 & 15)
		length := int(e>>16) + int(acc>>used&(1<<extra-1))
		used += extra

		at := acc >> (used & 63)
		e = t.distance[at&(1<<distanceBits-1)]
		if e&kindMore != 0 {
			e = t.distance[e>>16+uint32(at>>distanceBits)&(1<<(e>>8&15)-1)]
		}
		if e == 0 {
			break
		}
		code := uint(e & 15)
		extra = uint(e >> 8 & 15)
		distance := int(e>>16) + int(at>>code&(1<<extra-1))
		if used += code + extra; used > nb || distance > f.window {
			break
		}
		acc >>= used & 63
		nb -= used

		from := n - distance
		switch {
		case from < base:
			if base-from > history {
				beyond = true
				break loop
			}
			n = f.copyHistory(buf, base, n, distance, length)
		case distance >= 8:
			to := n
			n += length
			for {
				binary.LittleEndian.PutUint64(buf[to:], binary.LittleEndian.Uint64(buf[from:]))
				if to += 8; to >= n {
					break
				}
				from += 8
			}
		default:
			for range length {
				buf[n] = buf[n-distance]
				n++
			}
		}
	}
	f.pos, f.bits, f.nb = pos, acc, nb
	if s == corrupt && !beyond && f.undecided() {
		s = starved
	}
	return n, s
}

// copyHistory copies from a distance that begins before the message.
func (f *inflater) copyHistory(buf []byte, base, n, distance, length int) int {
	end := n + length
	back := distance - (n - base) // from the end of history
	if back > len(f.recent) {
		i := len(f.old) + len(f.recent) - back
		n += copy(buf[n:end], f.old[i:])
		back = len(f.recent)
	}
	if n < end && back > 0 {
		n += copy(buf[n:end], f.recent[len(f.recent)-back:])
	}
	for n < end {
		buf[n] = buf[n-distance]
		n++
	}
	return n
}

// skip is decode without the octets: it counts them, until there are more than limit.
func (f *inflater) skip(base, n, limit int) (int, status) {
	t := f.tables()
	history := len(f.old) + len(f.recent)
	for n <= limit {
		if f.nb < 48 {
			f.refill()
		}
		e := t.literal[f.bits&(1<<literalBits-1)]
		if e&kindMore != 0 {
			e = t.literal[e>>16+uint32(f.bits>>literalBits)&(1<<(e>>8&15)-1)]
		}
		used := uint(e & 15)
		if e == 0 || used > f.nb {
			return n, corrupt
		}
		f.take(used)
		if e&kindLiteral != 0 {
			n++
			continue
		}
		if e&kindEnd != 0 {
			f.block = noBlock
			return n, running
		}
		extra := uint(e >> 8 & 15)
		if extra > f.nb {
			return n, corrupt
		}
		length := int(e>>16) + f.take(extra)

		e = t.distance[f.bits&(1<<distanceBits-1)]
		if e&kindMore != 0 {
			e = t.distance[e>>16+uint32(f.bits>>distanceBits)&(1<<(e>>8&15)-1)]
		}
		code := uint(e & 15)
		extra = uint(e >> 8 & 15)
		if e == 0 || code+extra > f.nb {
			return n, corrupt
		}
		f.take(code)
		if distance := int(e>>16) + f.take(extra); distance > f.window || distance > n-base+history {
			return n, corrupt
		}
		n += length
	}
	return n, full
}
