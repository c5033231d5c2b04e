package load

import "testing"

// TestWideCode: a server may send any code (RFC 9113, 7), and an int may have 32 bits.
func TestWideCode(t *testing.T) {
	for code, want := range map[uint32]string{0xd: "HTTP_1_1_REQUIRED", 0xe: "code 14", 1 << 31: "code 2147483648", 1<<32 - 1: "code 4294967295"} {
		if got := codeName(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}
