package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Documents are n JSON documents of size octets, as one service sends them one after the other: they resemble each other
// and none repeats another.
func Documents(n, size int) [][]byte {
	docs := make([][]byte, n)
	for d := range docs {
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"type":"update","sequence":%d,"items":[`, 90210+d)
		for i := 0; b.Len() < size; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			k := d*31 + i
			fmt.Fprintf(&b, `{"id":%d,"name":"sensor-%02d","value":%d.%d,"ok":%v}`, 48271*k%99991, k%97, k*k%89, k*7%10, k%3 > 0)
		}
		docs[d] = b.Bytes()[:size]
	}
	return docs
}

// Text is one message of ASCII.
func Text(size int) [][]byte {
	const words = "The quick brown fox jumps over the lazy dog. "
	return [][]byte{[]byte(strings.Repeat(words, size/len(words)+1)[:size])}
}

// MixedText is one message of UTF-8 in which characters of one to four octets take turns, a word at a time.
func MixedText(size int) [][]byte {
	const words = "status grüße привет κόσμος 温度は正常 🚀🌍 ok "
	var b []byte
	for len(b) < size {
		for _, r := range words {
			if next := string(r); len(b)+len(next) <= size {
				b = append(b, next...)
			} else {
				b = append(b, '.')
			}
			if len(b) == size {
				break
			}
		}
	}
	return [][]byte{b}
}

// Noise is one binary message that no compressor makes shorter, the same in each run.
func Noise(size int) [][]byte {
	r := rand.NewChaCha8([32]byte{7})
	b := make([]byte, size)
	_, _ = r.Read(b) // never fails
	return [][]byte{b}
}
