package wsframe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCloseCodes(t *testing.T) {
	for c := range 1 << 16 {
		want := c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
		if CloseCode(c).Receivable() != want || CloseCode(c).Sendable() != want {
			t.Fatalf("6455-7.4: %d is receivable %v, sendable %v", c, CloseCode(c).Receivable(), CloseCode(c).Sendable())
		}
	}
}

func TestParseClose(t *testing.T) {
	text := strings.Repeat("*", MaxCloseText)
	for _, tt := range []struct {
		name, in string
		validate bool
		code     CloseCode
		text     string
		err      string
		at       int // octets that decide the error
	}{
		{"6455-5.5.1/empty", "", true, 0, "", "", 0},
		{"6455-5.5.1/one_octet", "\x03", true, 0, "", "1002 RFC 6455, 5.5.1", 1},
		{"6455-5.5.1/code", "\x03\xe8", true, 1000, "", "", 0},
		{"6455-5.5.1/text", "\x03\xe8Hello", true, 1000, "Hello", "", 0},
		{"6455-5.5.1/text_123", "\x03\xe8" + text, true, 1000, text, "", 0},
		{"6455-7.4/1004", "\x03\xec", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/1005", "\x03\xed", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/1006", "\x03\xee", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/1014", "\x03\xf6", true, 1014, "", "", 0},
		{"6455-7.4/1015", "\x03\xf7", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/0", "\x00\x00", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/999", "\x03\xe7", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/2999", "\x0b\xb7", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/3000", "\x0b\xb8", true, 3000, "", "", 0},
		{"6455-7.4/4999", "\x13\x87x", true, 4999, "x", "", 0},
		{"6455-7.4/5000", "\x13\x88", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-7.4/code_before_text", "\x13\x88\xff", true, 0, "", "1002 RFC 6455, 7.4", 2},
		{"6455-8.1/bad_octet", "\x03\xe8\xed\xa0\x80", true, 0, "", "1007 RFC 6455, 8.1", 4},
		{"6455-8.1/ends_inside", "\x03\xe8\xce", true, 0, "", "1007 RFC 6455, 8.1", 4},
		{"6455-8.1/not_asked", "\x03\xe8\xff\xce", false, 1000, "\xff\xce", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, text, err := ParseClose([]byte(tt.in), tt.validate)
			got := ""
			if e, ok := errors.AsType[*Error](err); ok {
				got = fmt.Sprintf("%d %s", e.Code, e.Rule)
			}
			if code != tt.code || string(text) != tt.text || got != tt.err {
				t.Fatalf("got %d %q %v", code, text, err)
			}
			for i := range len(tt.in) + 1 {
				perr := CheckClosePrefix([]byte(tt.in[:i]), tt.validate)
				if decided := tt.err != "" && i >= tt.at && tt.at > 1; (perr != nil) != decided {
					t.Fatalf("%d octets: %v", i, perr)
				}
				if perr != nil && perr.Error() != err.Error() {
					t.Fatalf("%d octets: %v, all: %v", i, perr, err)
				}
			}
		})
	}
}

func TestParseCloseAliases(t *testing.T) {
	p := []byte("\x03\xe8text")
	if _, text, _ := ParseClose(p, true); &text[0] != &p[2] {
		t.Error("text is a copy")
	}
}

func TestCheckClose(t *testing.T) {
	for _, tt := range []struct {
		name string
		code CloseCode
		text string
		rule string
	}{
		{"empty", 0, "", ""},
		{"code", 1000, "", ""},
		{"text", 4999, "bye", ""},
		{"6455-5.5/text_123", 1000, strings.Repeat("é", 61) + "x", ""},
		{"6455-5.5/text_124", 1000, strings.Repeat("é", 62), "RFC 6455, 5.5"},
		{"6455-5.5.1/text_without_code", 0, "bye", "RFC 6455, 5.5.1"},
		{"6455-5.5.1/text_not_utf8", 1000, "\xff", "RFC 6455, 5.5.1"},
		{"6455-5.5.1/text_cut", 1000, "\xce", "RFC 6455, 5.5.1"},
		{"6455-7.4/1005", 1005, "", "RFC 6455, 7.4"},
		{"6455-7.4/1015", 1015, "", "RFC 6455, 7.4"},
		{"6455-7.4/5000", 5000, "", "RFC 6455, 7.4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckClose(tt.code, tt.text)
			got := ""
			if e, ok := errors.AsType[*Error](err); ok {
				got = e.Rule
				if e.Code != InternalError {
					t.Errorf("code %d", e.Code)
				}
			}
			if got != tt.rule {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			// What may be sent is understood.
			code, text, err := ParseClose(AppendClose(nil, tt.code, tt.text), true)
			if code != tt.code || string(text) != tt.text || err != nil {
				t.Fatalf("came back as %d %q %v", code, text, err)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{ProtocolError, "RFC 6455, 5.5", "control frame over 125 octets"}
	if got := e.Error(); got != "wsframe: control frame over 125 octets (RFC 6455, 5.5)" {
		t.Error(got)
	}
}

func TestCloseAllocs(t *testing.T) {
	dst := make([]byte, 0, 128)
	p := []byte("\x03\xe8text")
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendClose(dst[:0], GoingAway, "bye")
		if _, _, err := ParseClose(p, true); err != nil || CheckClose(1000, "text") != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
