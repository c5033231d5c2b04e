package deflate

import (
	"math/bits"
	"sync"
)

// A decoding table has one entry for each value of the next primary bits. An entry holds what the symbol means, so that
// no second table is looked at: a value from bit 16 on, the number of bits that follow the code in bits 8 to 11, a kind
// in bits 4 to 7 and the length of the code in bits 0 to 3. Codes longer than primary lead to a table behind the first,
// whose entries have the length of the whole code. An entry of 0 is a code that nothing has.
const (
	kindLiteral = 1 << (4 + iota)
	kindCopy    // a length or a distance: value is its base
	kindEnd     // of the block
	kindMore    // value is where the next table starts, its index is as many bits as follow

	maxCodeBits = 15 // RFC 1951, 3.2.7

	literalBits, literalSpace   = 9, 852 // what 286 or 288 codes of 15 bits fill at most behind 9 bits
	distanceBits, distanceSpace = 8, 402 // the same of 30 or 32 codes behind 8 bits
	lengthBits                  = 7      // code lengths have codes of 7 bits at most

	literals, distances = 286, 30 // RFC 1951, 3.2.6: two codes more of each are never used
)

// tables are those of one block.
type tables struct {
	literal  [literalSpace]uint32
	distance [distanceSpace]uint32
}

// literalMeaning and distanceMeaning are the entries of RFC 1951, 3.2.5, without a length; 0 for what must not occur.
var literalMeaning, distanceMeaning = func() (l [288]uint32, d [32]uint32) {
	for i := range 256 {
		l[i] = uint32(i)<<16 | kindLiteral
	}
	l[256] = kindEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := max(i/4, 1) - 1
		l[257+i] = base<<16 | extra<<8 | kindCopy
		base += 1 << extra
	}
	l[285] = 258<<16 | kindCopy
	base = 1
	for i := range uint32(distances) {
		extra := max(i/2, 1) - 1
		d[i] = base<<16 | extra<<8 | kindCopy
		base += 1 << extra
	}
	return l, d
}()

// lengthMeaning is the entries of the codes for code lengths: the symbol itself.
var lengthMeaning = func() (m [19]uint32) {
	for i := range m {
		m[i] = uint32(i)<<16 | kindLiteral
	}
	return m
}()

// coded is a symbol that has a code of length bits.
type coded struct {
	symbol uint16
	length uint8
}

// fixedTables are those of RFC 1951, 3.2.6.
var fixedTables = sync.OnceValue(func() *tables {
	var codes [288]coded
	for i := range codes {
		codes[i] = coded{uint16(i), uint8(fixedLiterals[i].length())}
	}
	t := new(tables)
	build(t.literal[:], literalBits, codes[:], literalMeaning[:])
	for i := range 32 {
		codes[i].length = 5 // the two that are no distance as well: without them the set is not complete
	}
	build(t.distance[:], distanceBits, codes[:32], distanceMeaning[:])
	return t
})

// build fills table from the lengths of the codes (RFC 1951, 3.2.2), in the order of their symbols. It is false for
// lengths that are no complete set of codes; none at all, or a single one of one bit, is allowed as zlib allows it.
//
// The tables of a message of 1 KiB take as long as its text does. So what has no code is not among codes, and a code is
// stored once: what a table has for n bits it has twice for n+1, and is copied.
func build(table []uint32, primary uint, codes []coded, meaning []uint32) bool {
	var count, next, at [maxCodeBits + 2]uint16
	for _, c := range codes {
		count[c.length&15]++
	}
	longest, code, sum := uint(0), 0, uint16(0)
	for n := 1; n <= maxCodeBits; n++ {
		next[n], at[n] = uint16(code), sum
		if k := count[n]; k > 0 {
			sum += k
			longest = uint(n)
			if code += int(k); code > 1<<n {
				return false
			}
		}
		code <<= 1
	}
	if longest == 0 {
		clear(table[:1<<primary])
		return true
	}
	if 1<<longest != code>>(maxCodeBits+1-longest) {
		if longest != 1 {
			return false
		}
		clear(table[:2])
	}

	// Shortest first: the table grows with their length, and those behind it are laid out one by one.
	var sorted [288]coded
	for _, c := range codes {
		k := &at[c.length&15]
		sorted[*k] = c
		*k++
	}
	list := sorted[:len(codes)]
	size := 1
	for n := uint(1); n <= primary; n++ {
		copy(table[size:2*size], table[:size])
		size *= 2
		for len(list) > 0 && uint(list[0].length) == n {
			table[bits.Reverse16(next[n])>>(16-n)] = entry(meaning, list[0])
			next[n]++
			list = list[1:]
		}
	}
	free, prefix := size, -1
	var where int
	var more uint // bits of the table that is being filled
	for _, c := range list {
		n := uint(c.length)
		reversed := int(bits.Reverse16(next[n]) >> (16 - n))
		next[n]++
		if p := reversed & (1<<primary - 1); p != prefix {
			// The table is as large as the codes that share the prefix need.
			prefix, where = p, free
			more = n - primary
			for left := 1<<more - int(count[n]); left > 0 && more+primary < longest; {
				more++
				left = left<<1 - int(count[more+primary])
			}
			free += 1 << more
			table[p] = uint32(where)<<16 | uint32(more)<<8 | kindMore
		}
		for i := reversed >> primary; i < 1<<more; i += 1 << (n - primary) {
			table[where+i] = entry(meaning, c)
		}
		count[n]--
	}
	return true
}

// entry is what c means and the length of its code, or 0 for what must not occur.
func entry(meaning []uint32, c coded) uint32 {
	m := meaning[c.symbol]
	if m != 0 {
		m |= uint32(c.length)
	}
	return m
}
