package autobahn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"unicode/utf8"
)

// corpus is a file that messages are cut from. Its octets are made here, the same in each run: of the size and about the
// entropy of those of the original, which never looks at what they are.
type corpus struct {
	name   string
	binary bool
	twice  []byte // the octets twice, so that no message wraps
	size   int
	starts []int32 // where the characters of twice begin; nil: an octet each
}

func newCorpus(name string, binary bool, b []byte) *corpus {
	c := &corpus{name: name, binary: binary, size: len(b), twice: append(b[:len(b):len(b)], b...)}
	if binary || len(b) == utf8.RuneCount(b) {
		return c
	}
	for i := 0; i < len(c.twice); {
		c.starts = append(c.starts, int32(i))
		_, n := utf8.DecodeRune(c.twice[i:])
		i += n
	}
	c.starts = append(c.starts, int32(len(c.twice)))
	c.size = utf8.RuneCount(b)
	return c
}

// message is the k-th of n units, octets or characters.
func (c *corpus) message(k, n int) []byte {
	from := k * n % c.size
	if c.starts != nil {
		return c.twice[c.starts[from]:c.starts[from+n]]
	}
	return c.twice[from : from+n]
}

// The corpora of 12.* and 13.*, in the order of 12.1 to 12.5.
func corpora() []*corpus {
	return []*corpus{
		newCorpus("JSON", false, records(194056)),
		newCorpus("a bitmap", true, bitmap(263222)),
		newCorpus("prose", true, prose(222218)),
		newCorpus("HTML", false, markup(263647)),
		newCorpus("a PDF", true, document(1042328)),
	}
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7692)) }

// records is JSON: objects that differ in little.
func records(n int) []byte {
	r := random(1)
	var b bytes.Buffer
	b.WriteString("[\n")
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "  {\n    \"id\": %d,\n    \"kind\": \"measurement\",\n    \"station\": \"north-%02d\",\n    \"unit\": \"celsius\",\n"+
			"    \"valid\": true,\n    \"position\": { \"latitude\": 52.5, \"longitude\": 13.4, \"height\": 34 },\n    \"value\": %d,\n"+
			"    \"quality\": { \"calibrated\": true, \"corrected\": false, \"source\": \"automatic\" }\n  },\n", i, r.IntN(12), r.IntN(1e9))
	}
	return b.Bytes()[:n]
}

// bitmap is a header, a palette, and a picture with much noise.
func bitmap(n int) []byte {
	r := random(2)
	b := make([]byte, 0, n)
	b = append(b, "BM"...)
	b = append(b, make([]byte, 52)...)
	for i := range 256 {
		b = append(b, byte(i), byte(i), byte(i), 0)
	}
	for i := 0; len(b) < n; i++ {
		x, y := i%512, i/512
		b = append(b, byte(x/8+y/8+r.IntN(44)+r.IntN(44)))
	}
	return b
}

// prose is sentences of a language with a few thousand words, some frequent and most rare.
func prose(n int) []byte {
	r := random(3)
	onsets := strings.Fields("b d f g h k l m n p r s t w z sch st sp br dr gr kr tr pf kn bl fl schw")
	vowels := strings.Fields("a e i o u ei au ie eu ä ö ü e e")
	codas := strings.Fields("n r l s t ch ng nd st rt n r ss tz ck m")
	words := strings.Fields("der die und das in den von zu mit sich nicht ein es auf dem als er sie war hatte wie noch aber da so an")
	for len(words) < 4200 {
		var w strings.Builder
		for range 1 + r.IntN(3) {
			w.WriteString(onsets[r.IntN(len(onsets))] + vowels[r.IntN(len(vowels))] + codas[r.IntN(len(codas))])
		}
		if r.IntN(2) == 0 {
			w.WriteString("en")
		}
		words = append(words, w.String())
	}
	sums := make([]float64, len(words))
	sum := 0.0
	for i := range words {
		sum += 1 / float64(i+25)
		sums[i] = sum
	}
	var b bytes.Buffer
	for length := 0; b.Len() < n; length++ {
		w := words[sort.SearchFloat64s(sums, r.Float64()*sum)]
		switch {
		case length == 0, r.IntN(9) == 0:
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		b.WriteString(w)
		switch p := r.IntN(100); {
		case length > 6 && p < 14:
			b.WriteString(".\n")
			length = -1
		case p < 24:
			b.WriteString(", ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.Bytes()[:n]
}

// markup is HTML, with 26 characters that are not ASCII.
func markup(n int) []byte {
	r := random(4)
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html>\n<html><head><title>Index</title></head><body>\n<table>\n")
	for i := 0; b.Len() < n-400; i++ {
		dash := "-"
		if i%40 == 20 && i/40 < 26 {
			dash = "\u2013"
		}
		fmt.Fprintf(&b, "<tr class=\"row\"><td class=\"number\">%d</td><td class=\"name\"><a href=\"/items/%04d.html\">Item %d %s part %d</a></td>"+
			"<td class=\"state\"><span class=\"badge\">open</span></td><td class=\"price\">%d.00</td></tr>\n", i, r.IntN(40), i, dash, r.IntN(9), r.IntN(30))
	}
	b.WriteString("</table>\n</body></html>\n")
	for b.Len() < n {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// document is streams that do not compress, between objects that do.
func document(n int) []byte {
	r := random(5)
	b := []byte("%PDF-1.4\n")
	for i := 1; len(b) < n; i++ {
		b = fmt.Appendf(b, "%d 0 obj\n<< /Type /Page /Parent 1 0 R /Resources << /Font << /F1 2 0 R >> >> /Contents %d 0 R >>\nendobj\n", 2*i, 2*i+1)
		for range 6 {
			b = fmt.Appendf(b, "%010d 00000 n \n", len(b))
		}
		size := 500 + r.IntN(600)
		b = fmt.Appendf(b, "%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n", 2*i+1, size)
		for range size {
			b = append(b, byte(r.Uint32()))
		}
		b = append(b, "\nendstream\nendobj\n"...)
	}
	return b[:n]
}
