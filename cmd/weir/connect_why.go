package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"weir/internal/reach"
	"weir/websocket"
)

// maxReason is how many octets of a refusal's body are looked at.
const maxReason = 4 << 10

// why is what a server said when it refused, and what to try. Its strings may be empty, and are
// shown as they are.
type why struct {
	said     string // the first line of the body, or a page's title
	location string
	try      string
	flags    string // that help, as a part of a sentence
}

// whyNot reads what is behind the error of a dial.
func whyNot(err error) why {
	var w why
	de, ok := errors.AsType[*websocket.DialError](err)
	if !ok {
		return w
	}
	if res := de.Response; res != nil && !opens(res) {
		body, _ := io.ReadAll(io.LimitReader(res.Body, maxReason)) // what there is of it
		w.said = firstLine(body)
		w.location = reach.Line(res.Header.Get("Location"))
	}
	w.flags = certificateHint(err)
	if de.Proxy == "" { // else it speaks for itself
		w.try = toTry(de, w.said)
	}
	return w
}

// explain adds it to an error.
func (w why) explain(err error) error {
	var b strings.Builder
	if w.said != "" {
		b.WriteString(": " + w.said)
	}
	if w.location != "" {
		b.WriteString("; Location: " + w.location)
	}
	if w.try != "" {
		b.WriteString("; try " + w.try)
	}
	b.WriteString(w.flags)
	if b.Len() == 0 {
		return err
	}
	return &explained{err, b.String()}
}

// explained is an error with more words.
type explained struct {
	err   error
	words string
}

func (e *explained) Error() string { return e.err.Error() + e.words }
func (e *explained) Unwrap() error { return e.err }

// firstLine is the first line of a body that says anything; of a page of HTML it is the title.
func firstLine(body []byte) string {
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "<") {
		lower := strings.ToLower(text)
		_, title, ok := strings.Cut(lower, "<title>")
		if !ok || len(lower) != len(text) { // a letter whose small one is longer
			return ""
		}
		text = text[len(text)-len(title):]
		text, _, _ = strings.Cut(text, "<")
		text = strings.TrimSpace(html.UnescapeString(text))
	}
	line, _, _ := strings.Cut(text, "\n")
	const most = 200
	line = strings.TrimSuffix(reach.Line(strings.TrimSpace(line)), ".")
	if r := []rune(line); len(r) > most {
		line = string(r[:most]) + "…"
	}
	return line
}

// toTry is another URL or flag, where the answer or the error says that it is the one.
func toTry(de *websocket.DialError, said string) string {
	u, err := url.Parse(de.URL)
	if err != nil {
		return ""
	}
	secure := u.Scheme == "wss" || u.Scheme == "https"
	u.User = nil
	if res := de.Response; res != nil {
		to, err := u.Parse(res.Header.Get("Location"))
		switch {
		case secure:
		case res.StatusCode/100 == 3 && err == nil && to.Hostname() == u.Hostname() &&
			(to.Scheme == "https" || to.Scheme == "wss"):
			to.Scheme, to.Fragment = "wss", ""
			return reach.Line(to.String())
		case res.StatusCode == http.StatusBadRequest &&
			(strings.Contains(said, "HTTPS") || strings.Contains(said, "SSL")):
			u.Scheme = "wss"
			return reach.Line(u.String())
		}
		return ""
	}
	_, noRecord := errors.AsType[tls.RecordHeaderError](de)
	text := de.Error()
	switch {
	case secure && (noRecord || strings.Contains(text, "speaks HTTP/")):
		u.Scheme = "ws"
		return reach.Line(u.String())
	case !secure && (strings.Contains(text, "speaks TLS") || strings.Contains(text, `\x15\x03`)):
		u.Scheme = "wss"
		return reach.Line(u.String())
	}
	return ""
}

// certificateHint names the flags that help where a certificate is what is wrong.
func certificateHint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "; --cacert FILE names who signed it, -k takes any certificate"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "; -k takes any certificate"
	}
	return ""
}

// scanOctets splits at line feeds, and leaves all other octets as they are.
func scanOctets(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
