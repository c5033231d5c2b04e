package reach_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/reach"
	"weir/stream/memnet"
)

// TestAuthority: what Host and :authority say, and what is dialled (RFC 5891, 5; RFC 6874, 4).
// Without an authority it is an error.
func TestAuthority(t *testing.T) {
	for given, want := range map[string]struct{ authority, host string }{
		"weir.test":             {"weir.test", "weir.test"},
		"weir.test:":            {"weir.test", "weir.test"},
		"weir.test:8080":        {"weir.test:8080", "weir.test"},
		"bücher.example":        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		"BÜCHER.example:443":    {"xn--bcher-kva.example:443", "xn--bcher-kva.example"},
		"例え.テスト":                {"xn--r8jz45g.xn--zckzah", "xn--r8jz45g.xn--zckzah"},
		"[::1]":                 {"[::1]", "::1"},
		"[::1]:80":              {"[::1]:80", "::1"},
		"[fe80::1%eth0]":        {"[fe80::1]", "fe80::1%eth0"},
		"[fe80::1%25eth0]:8080": {"[fe80::1]:8080", "fe80::1%25eth0"},
		"127.0.0.1:1":           {"127.0.0.1:1", "127.0.0.1"},
		"weir_test":             {"weir_test", "weir_test"},
		"":                      {},
		":80":                   {},
		"a@b":                   {},
		"a b":                   {},
		"a\r\nb":                {},
		"[::1":                  {},
		"\u00ad":                {}, // a name of nothing
		"xn--ü":                 {},
	} {
		got, err := reach.Authority(given)
		if got != want.authority || (err == nil) != (want.authority != "") {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want.authority)
		}
		if want.host == "" {
			continue
		}
		u := &url.URL{Host: given}
		if host, err := reach.Host(u.Hostname()); host != want.host || err != nil {
			t.Errorf("%q: host %q, %v; want %q", given, host, err, want.host)
		}
	}
}

// TestProtocol: servers are known by how they begin, however that is cut.
func TestProtocol(t *testing.T) {
	for _, c := range []struct{ octets, name string }{
		{"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1"}, {"HTTP/1.0 200", "HTTP/1.1"},
		{"\x15\x03\x03\x00\x02\x02\x28", "TLS"}, {"\x16\x03\x01\x02\x00", "TLS"},
		{"SSH-2.0-x\r\n", "SSH"}, {"220 mail ESMTP\r\n", "SMTP or FTP"}, {"220-ftp\r\n", "SMTP or FTP"},
		{"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP/2"}, {"\x00\x00\x08\x07\x00\x00\x00\x00\x00", "HTTP/2"},
		{"garbage", ""}, {"2200", ""}, {"\x00\x00\x08\x06\x00", ""}, {"\x15\x02", ""}, {"HTTPS", ""},
	} {
		for n := range len(c.octets) {
			switch name, more := reach.Protocol([]byte(c.octets[:n])); {
			case name != "" && (name != c.name || more):
				t.Errorf("%q: %q, %v; want %q", c.octets[:n], name, more, c.name)
			case name == "" && !more && c.name != "":
				t.Errorf("%q: unknown, and the next octets would say %q", c.octets[:n], c.name)
			}
		}
		if name, more := reach.Protocol([]byte(c.octets)); name != c.name || more {
			t.Errorf("%q: %q, %v; want %q", c.octets, name, more, c.name)
		}
	}
}

// TestPasswords: no password is shown, in a URL, in an error or behind one.
func TestPasswords(t *testing.T) {
	for given, want := range map[string]string{
		"ws://weir.test/":                       "ws://weir.test/",
		"ws://weir.test/a@b?c=d:e@f":            "ws://weir.test/a@b?c=d:e@f",
		"ws://user@weir.test/":                  "ws://user@weir.test/",
		"ws://user:secret@weir.test/?q":         "ws://user:xxxxx@weir.test/?q",
		"ws://user:sec@ret@weir.test/":          "ws://user:xxxxx@weir.test/",
		"ws://user:secret@weir.test:x/":         "ws://xxxxx@weir.test:x/",
		"ws://user:sec%ret@weir.test/":          "ws://xxxxx@weir.test/",
		"ws://user:sec/ret@weir.test/":          "ws://xxxxx@weir.test/",
		"user:secret@weir.test":                 "xxxxx@weir.test",
		"ws://user:secret@weir.test/%":          "ws://xxxxx@weir.test/%",
		"://user:secret@weir.test":              "://xxxxx@weir.test",
		"ws://weir.test:x":                      "ws://weir.test:x",
		"ws://user:secret@[fe80::1%25eth0]:80/": "ws://user:xxxxx@[fe80::1%25eth0]:80/",
	} {
		if got := reach.RedactURL(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
		_, err := reach.ParseURL(given)
		if _, bad := url.Parse(given); (bad == nil) != (err == nil) {
			t.Errorf("%q: %v, and url.Parse %v", given, err, bad)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(err.Error(), "sec") || strings.Contains(fmt.Sprintf("%+v", err), "sec") {
				t.Errorf("%q: %v", given, err)
			}
		}
	}
	_, bad := url.Parse(strings.Replace("http://user:secret@proxy.test:80", "80", "x", 1))
	err := reach.Redacted(fmt.Errorf("%w: %w", io.EOF, bad))
	if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "//xxxxx@proxy.test:x") || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Error("errors.As shows the password")
	}
	if reach.Redacted(io.EOF) != io.EOF || reach.Redacted(nil) != nil {
		t.Error("an error without one is another")
	}
}

// TestShown: nothing that a terminal or an eye would obey is left.
func TestShown(t *testing.T) {
	for given, want := range map[string]struct{ line, text string }{
		"plain ü 例":      {"plain ü 例", "plain ü 例"},
		"\x1b[2J\r\x07":  {"␛[2J␍␇", "␛[2J␍␇"},
		"a\nb\tc":        {"a b c", "a\nb\tc"},
		"a\u2028b":       {"a b", "a\u2028b"},
		"\u009b2J\x7f":   {"\ufffd2J\ufffd", "\ufffd2J\ufffd"},
		"\x9b2J":         {"\ufffd2J", "\ufffd2J"},
		"\u202eevil":     {"\ufffdevil", "\ufffdevil"},
		"\u2066\u200fab": {"\ufffd\ufffdab", "\ufffd\ufffdab"},
	} {
		if line, text := reach.Line(given), reach.Text(given); line != want.line || text != want.text {
			t.Errorf("%q: line %q, text %q", given, line, text)
		}
	}
	for _, given := range []string{"plain ü", "\x1b[2J\u009b\u202e\x7f\n", "\U0001f600\u200d"} {
		raw, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		shown := reach.JSON(raw)
		var got string
		if err := json.Unmarshal(shown, &got); err != nil || got != given {
			t.Errorf("%q: %s is %q, %v", given, shown, got, err)
		}
		if reach.Text(string(shown)) != string(shown) {
			t.Errorf("%q: %q", given, shown)
		}
	}
}

// TestWithin: a connection that is silent is given up when the context ends, and the error says
// both why and what.
func TestWithin(t *testing.T) {
	gone := errors.New("gone home")
	for name, end := range map[string]func(context.Context) (context.Context, []error){
		"deadline": func(ctx context.Context) (context.Context, []error) {
			ctx, stop := context.WithTimeout(ctx, time.Second)
			context.AfterFunc(ctx, stop)
			return ctx, []error{context.DeadlineExceeded}
		},
		"cause": func(ctx context.Context) (context.Context, []error) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(gone) })
			return ctx, []error{context.Canceled, gone}
		},
		"a cause that says it": func(ctx context.Context) (context.Context, []error) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(fmt.Errorf("%w: %w", gone, context.Canceled)) })
			return ctx, []error{context.Canceled, gone}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memnet.Pair(0)
				defer a.Close()
				defer b.Close()
				ctx, is := end(t.Context())
				if err := reach.Ended(ctx); err != nil {
					t.Errorf("before the end: %v", err)
				}
				start := time.Now()
				err := reach.Within(ctx, a, func() error {
					if err := reach.Expect(ctx, a, time.Now().Add(time.Minute)); err != nil {
						t.Error(err)
					}
					_, err := a.Read(make([]byte, 1))
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Read: %v", err)
					}
					return err
				})
				if time.Since(start) != time.Second {
					t.Errorf("after %v", time.Since(start))
				}
				for _, is := range is {
					if !errors.Is(err, is) || !errors.Is(reach.Ended(ctx), is) {
						t.Errorf("errors.Is does not find %q in %v", is, err)
					}
				}
			})
		})
	}
	a, b := memnet.Pair(0)
	defer a.Close()
	defer b.Close()
	if err := reach.Within(t.Context(), a, func() error { return io.EOF }); err != io.EOF {
		t.Error(err)
	}
}
