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

// fixedTables are those of RFC 1951, 3.2.6.
var fixedTables = sync.OnceValue(func() *tables {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	t := new(tables)
	build(t.literal[:], literalBits, lengths[:], literalMeaning[:])
	for i := range 32 {
		lengths[i] = 5
	}
	build(t.distance[:], distanceBits, lengths[:32], distanceMeaning[:])
	return t
})

// build fills table from the lengths of the codes (RFC 1951, 3.2.2). It is false for lengths that are no complete set
// of codes; none at all, or a single one of one bit, is allowed as zlib allows it.
func build(table []uint32, primary uint, lengths []uint8, meaning []uint32) bool {
	var count, next [maxCodeBits + 2]int
	for _, n := range lengths {
		count[n&15]++
	}
	count[0] = 0
	longest, code := uint(0), 0
	for n := 1; n <= maxCodeBits; n++ {
		next[n] = code
		if code += count[n]; count[n] > 0 {
			longest = uint(n)
			if code > 1<<n {
				return false
			}
		}
		code <<= 1
	}
	if longest == 0 {
		clear(table[:1<<primary])
		return true
	}
	if left := 1<<longest - code>>(maxCodeBits+1-longest); left != 0 {
		if longest != 1 {
			return false
		}
		clear(table[:1<<primary])
	}

	// Symbols in the order of their codes, shortest first: the tables behind the first are then laid out one by one.
	var sorted [288]uint16
	var at [maxCodeBits + 2]int
	for n := 1; n <= maxCodeBits; n++ {
		at[n+1] = at[n] + count[n]
	}
	for i, n := range lengths {
		if n != 0 {
			sorted[at[n]] = uint16(i)
			at[n]++
		}
	}
	free := 1 << primary
	var more uint // bits of the table that is being filled
	var where, prefix int
	prefix = -1
	for _, symbol := range sorted[:at[maxCodeBits]] {
		n := uint(lengths[symbol])
		reversed := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		entry := meaning[symbol]
		if entry != 0 {
			entry |= uint32(n)
		}
		if n <= primary {
			for i := reversed; i < 1<<primary; i += 1 << n {
				table[i] = entry
			}
			continue
		}
		if p := reversed & (1<<primary - 1); p != prefix {
			// The table is as large as the codes that share the prefix need.
			prefix, where = p, free
			more = n - primary
			for left := 1<<more - count[n]; left > 0 && more+primary < longest; {
				more++
				left = left<<1 - count[more+primary]
			}
			free += 1 << more
			table[p] = uint32(where)<<16 | uint32(more)<<8 | kindMore
		}
		for i := reversed >> primary; i < 1<<more; i += 1 << (n - primary) {
			table[where+i] = entry
		}
		count[n]--
	}
	return true
}
