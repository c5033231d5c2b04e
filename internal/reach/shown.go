package reach

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s on one line, and harmless as Text makes it.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, Text(s))
}

// Text is s with what a terminal or a reader's eye would obey spelled out; lines stay. Whatever a
// peer said is shown through it, or through Line.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '\u2400' + r // the symbol for it
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// ParseURL is url.Parse, and its error shows no password.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	ue, ok := errors.AsType[*url.Error](err)
	if !ok {
		return u, err
	}
	why := ue.Err
	if strings.Contains(raw, "@") { // it may quote what stands before
		why = errors.New("malformed")
	}
	return nil, &url.Error{Op: ue.Op, URL: RedactURL(raw), Err: why}
}

// RedactURL is a URL without its password. Of one that cannot be parsed nobody knows where the
// password ends, so all before its last @ goes.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err == nil && u.User != nil:
		if _, secret := u.User.Password(); secret {
			return u.Redacted()
		}
		return raw
	case err == nil && u.Opaque == "": // an @ of the path or the query
		return raw
	}
	i := strings.LastIndexByte(raw, '@')
	if i < 0 {
		return raw
	}
	scheme, _, ok := strings.Cut(raw[:i], "://")
	if !ok {
		return "xxxxx" + raw[i:]
	}
	return scheme + "://xxxxx" + raw[i:]
}

// userInfo is that of a URL inside a text.
var userInfo = regexp.MustCompile(`://[^\s/]*:[^\s]*@`)

// Redacted is err with the passwords of URLs in its text hidden. errors.Is looks behind it;
// errors.As does not, for what it found would show them.
func Redacted(err error) error {
	if err == nil || !userInfo.MatchString(err.Error()) {
		return err
	}
	return &redacted{err}
}

type redacted struct{ err error }

func (r *redacted) Error() string {
	return userInfo.ReplaceAllString(r.err.Error(), "://xxxxx@")
}

// Is looks behind it.
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }

// JSON is a JSON text in which what a terminal would obey is escaped. Its values stay the same.
func JSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, obeyed) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		if obeyed(r) {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// obeyed says that a terminal or a reader's eye obeys r; the end of a line is no part of a value.
func obeyed(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}
