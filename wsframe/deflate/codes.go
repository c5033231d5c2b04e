package deflate

import "math/bits"

// alphabet is the symbols of a block, how often they occur, and the codes that are the shortest for them.
type alphabet struct {
	freq  [288]uint16
	used  [288]uint16 // symbols that occur, in their order
	n     int         // of used
	codes [288]code   // of those used; others are not looked at
}

// code is bits as they are written, lowest first, and from bit 16 on how many they are.
type code uint32

func (c code) bits() uint64 { return uint64(c & 0xffff) }

func (c code) length() uint { return uint(c>>16) & 31 }

// list makes the list of symbols used, all under size. What follows looks at these alone: they are few.
func (a *alphabet) list(size int) {
	n := 0
	for s, f := range a.freq[:size] {
		a.used[n] = uint16(s)
		if f != 0 {
			n++
		}
	}
	a.n = n
}

// cost is how many bits the symbols take in codes.
func (a *alphabet) cost(codes *[288]code) int {
	n := 0
	for _, s := range a.used[:a.n] {
		n += int(a.freq[s]) * int(codes[s].length())
	}
	return n
}

// size is how many symbols there are with those between that do not occur.
func (a *alphabet) size() int {
	if a.n == 0 {
		return 0
	}
	return int(a.used[a.n-1]) + 1
}

// assign makes codes of at most limit bits (RFC 1951, 3.2.2). A single symbol has one of one bit.
func (a *alphabet) assign(limit int) {
	n := a.n
	if n < 2 {
		if n == 1 {
			a.codes[a.used[0]] = 1 << 16
		}
		return
	}
	var sorted [288]uint32
	a.sort(&sorted)
	count := depths(sorted[:n], limit)

	// The rarest symbols get the longest codes. Among those of one length the codes rise with the symbols.
	k := 0
	for l := limit; l > 0; l-- {
		for range count[l] {
			a.codes[sorted[k]&511] = code(l << 16)
			k++
		}
	}
	var next [maxCodeBits + 2]uint16
	for l := 1; l <= limit; l++ {
		next[l+1] = (next[l] + count[l]) << 1
	}
	for _, s := range a.used[:n] {
		l := a.codes[s].length()
		a.codes[s] |= code(bits.Reverse16(next[l]) >> (16 - l))
		next[l]++
	}
}

// sort gives the symbols used, rarest first, each with its frequency from bit 16 on. It counts frequencies that many
// symbols share, and moves the few that are higher.
func (a *alphabet) sort(sorted *[288]uint32) {
	const many = 63
	var at [many + 2]uint16
	for _, s := range a.used[:a.n] {
		at[min(a.freq[s], many)+1]++
	}
	for i := range many {
		at[i+1] += at[i]
	}
	for _, s := range a.used[:a.n] {
		f := a.freq[s]
		k := at[min(f, many)]
		at[min(f, many)]++
		v := uint32(f)<<16 | uint32(s)
		for ; f > many && k > 0 && sorted[k-1] > v; k-- {
			sorted[k] = sorted[k-1]
		}
		sorted[k] = v
	}
}

// depths is how many leaves of each depth the Huffman tree of sorted has if none may be deeper than limit. The tree is
// made in one array: the sums of two take the place of leaves that are in the tree, links to parents that of sums, and
// depths that of links.
func depths(sorted []uint32, limit int) (count [maxCodeBits + 1]uint16) {
	var a [288]uint32
	n := len(sorted)
	for i, v := range sorted {
		a[i] = v >> 16
	}
	leaf, sum := 0, 0
	for next := range n - 1 {
		both := uint32(0)
		for range 2 {
			if leaf == n || sum < next && a[sum] < a[leaf] {
				both += a[sum]
				a[sum] = uint32(next)
				sum++
			} else {
				both += a[leaf]
				leaf++
			}
		}
		a[next] = both
	}
	a[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		a[i] = a[a[i]] + 1
	}
	parent := n - 2
	for nodes, depth := 1, 0; nodes > 0; depth++ {
		parents := 0
		for parent >= 0 && a[parent] == uint32(depth) {
			parents++
			parent--
		}
		count[min(depth, limit)] += uint16(nodes - parents)
		nodes = 2 * parents
	}

	// Leaves that were cut to limit are more than a tree has room for. One of them moves to the side of the deepest leaf
	// over limit, both a level below where that one was: this makes room for one more, until they fit.
	over := -1 << limit
	for l := 1; l <= limit; l++ {
		over += int(count[l]) << (limit - l)
	}
	for ; over > 0; over-- {
		l := limit - 1
		for count[l] == 0 {
			l--
		}
		count[l]--
		count[l+1] += 2
		count[limit]--
	}
	return count
}
