package wsframe

// vectors says that badText can be used: the processor has AVX2, and the system keeps its registers.
var vectors = hasAVX2()

func hasAVX2() bool

// badText says that something in p can be in no text that begins with p, 32 octets at a time: len(p) is a multiple of 32, and not 0.
// A character that p does not end is not judged.
//
//go:noescape
func badText(p []byte) bool
