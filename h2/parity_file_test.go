package h2_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing/fstest"
	"time"
)

// parityFS are the files of the cases.
func parityFS() fs.FS {
	at := time.Unix(1e9, 0)
	return fstest.MapFS{
		"a.txt":          {Data: []byte("0123456789"), ModTime: at},
		"dir/index.html": {Data: []byte("<p>index"), ModTime: at},
		"list/b c.css":   {Data: []byte("b{}"), ModTime: at},
		"list/x.unknown": {Data: []byte("\x00\x01"), ModTime: at},
		"big.bin":        {Data: make([]byte, 1<<20), ModTime: at},
	}
}

// files is a server of parityFS.
func files(_ *play, hs *http.Server) { hs.Handler = http.FileServerFS(parityFS()) }

// fileFields are the fields that tell about a file.
var fileFields = []string{"Content-Length", "Content-Range", "Content-Type", "Last-Modified",
	"Accept-Ranges", "Location"}

// oddSeeker is a file that cannot be sought.
type oddSeeker struct{ io.Reader }

func (oddSeeker) Seek(int64, int) (int64, error) { return 0, errors.New("no seeking") }

// parityFiles are about files: ranges, conditions, redirects.
var parityFiles = []parityCase{
	{
		name:   "net/http/FileServerFS",
		server: files,
		client: func(p *play) {
			for _, path := range []string{"/a.txt", "/dir/", "/none", "/list/x.unknown",
				"/list/b%20c.css"} {
				p.get(path, fileFields...)
			}
		},
		want: `client: 200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"0123456789"; 200 Content-Length=["8"] Content-Type=["text/html; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"<p>index"; 404 Content-Length=["19"] Content-Type=["text/plain; ` +
			`charset=utf-8"] "404 page not found\n"; ` +
			`200 Content-Length=["2"] Content-Type=["application/octet-stream"] ` +
			`Last-Modified=["Sun, ` +
			`09 Sep 2001 01:46:40 GMT"] Accept-Ranges=["bytes"] "\x00\x01"; ` +
			`200 Content-Length=["3"] Content-Type=["text/css; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"b{}"`,
	},
	{
		name:   "net/http/FileServer_redirects",
		server: files,
		client: func(p *play) {
			for _, path := range []string{"/dir", "/dir/index.html", "/a.txt/", "/dir?x=1"} {
				p.get(path, "Location")
			}
		},
		want: `client: 301 Location=["dir/"]; 301 Location=["./"]; 301 Location=["../a.txt"]; ` +
			`301 Location=["dir/?x=1"]`,
	},
	{
		name:   "net/http/FileServer_lists_a_directory",
		server: files,
		client: func(p *play) { p.get("/list/", "Content-Type") },
		want: `client: 200 Content-Type=["text/html; ` +
			`charset=utf-8"] "<!doctype html>\n<meta name=\"viewport\" ` +
			`content=\"width=device-width\">\n<pre>\n<a href=\"b%20c.css\">b c.css</a>\n<a ` +
			`href=\"x.unknown\">x.unknown</a>\n</pre>\n"`,
	},
	{
		name:   "9110-9.3.2/HEAD_of_files",
		server: files,
		client: func(p *play) {
			for _, path := range []string{"/a.txt", "/dir/", "/dir", "/none", "/list/",
				"/big.bin"} {
				p.do(p.request("HEAD", path, nil), fileFields...)
			}
		},
		want: `client: 200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"]; 200 Content-Length=["8"] Content-Type=["text/html; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"]; 301 Location=["dir/"]; ` +
			`404 Content-Length=["19"] Content-Type=["text/plain; charset=utf-8"]; ` +
			`200 Content-Length=["147"] Content-Type=["text/html; charset=utf-8"]; ` +
			`200 Content-Length=["1048576"] Content-Type=["application/octet-stream"] ` +
			`Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] Accept-Ranges=["bytes"]`,
	},
	{
		name:   "net/http/a_large_file",
		server: files,
		client: func(p *play) {
			p.get("/big.bin", fileFields...)
			p.do(p.request("GET", "/big.bin", nil, "Range", "bytes=100000-899999"), fileFields...)
		},
		want: `client: 200 Content-Length=["1048576"] Content-Type=["application/octet-stream"] ` +
			`Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] Accept-Ranges=["bytes"] ` +
			`len=1048576; ` +
			`206 Content-Length=["800000"] Content-Range=["bytes 100000-899999/1048576"] ` +
			`Content-Type=["application/octet-stream"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 ` +
			`GMT"] Accept-Ranges=["bytes"] len=800000`,
	},
	{
		name:   "9110-14.2/several_ranges",
		server: files,
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/a.txt", nil, "Range", "bytes=0-1,5-6"))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			_, boundary, _ := strings.Cut(resp.Header.Get("Content-Type"), "boundary=")
			p.note("client", "%d %v %q %s", resp.StatusCode, resp.ContentLength == int64(len(b)),
				strings.ReplaceAll(string(b), boundary, "x"), fault(err))
		},
		want: `client: 206 true "--x\r\nContent-Range: bytes 0-1/10\r\nContent-Type: text/plain; ` +
			`charset=utf-8\r\n\r\n01\r\n--x\r\nContent-Range: bytes 5-6/10\r\nContent-Type: ` +
			`text/plain; charset=utf-8\r\n\r\n56\r\n--x--\r\n" ok`,
	},
	{
		name:   "9110-14.2/ranges_that_are_none",
		server: files,
		client: func(p *play) {
			for _, r := range []string{"bytes=", "bytes=a-b", "lines=1-2", "bytes=5-2",
				"bytes=0-100", "bytes=0-,0-,0-,0-"} {
				p.do(p.request("GET", "/a.txt", nil, "Range", r), "Content-Range")
			}
		},
		want: `client: 200 "0123456789"; 416 "invalid range\n"; 416 "invalid range\n"; ` +
			`416 "invalid range\n"; 206 Content-Range=["bytes 0-9/10"] "0123456789"; 200 ` +
			`"0123456789"`,
	},
	{
		name: "9110-13.1.5/If-Range",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			for _, v := range []string{`"v1"`, `"v2"`, `W/"v1"`, "Sun, 09 Sep 2001 01:46:40 GMT",
				"Sun, 09 Sep 2001 01:46:41 GMT"} {
				p.do(p.request("GET", "/", nil, "Range", "bytes=1-2", "If-Range", v),
					"Content-Range")
			}
		},
		want: `client: 206 Content-Range=["bytes 1-2/10"] "12"; 200 "0123456789"; 200 ` +
			`"0123456789"; ` +
			`206 Content-Range=["bytes 1-2/10"] "12"; 200 "0123456789"`,
	},
	{
		name:   "9110-13.1.3/If-Modified-Since",
		server: files,
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD"} {
				for _, v := range []string{"Sun, 09 Sep 2001 01:46:40 GMT",
					"Sun, 09 Sep 2001 01:46:39 GMT", "yesterday"} {
					p.do(p.request(m, "/a.txt", nil, "If-Modified-Since", v), "Content-Length",
						"Content-Type", "Last-Modified")
				}
			}
		},
		want: `client: 304 Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"]; ` +
			`200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] "0123456789"; ` +
			`200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] "0123456789"; ` +
			`304 Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"]; ` +
			`200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"]; ` +
			`200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"]`,
	},
	{
		name: "9110-13.1.2/If-None-Match",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `W/"v1"`)
			w.Header().Set("Content-Type", "a/b")
			w.Header().Set("Content-Length", "10")
			w.Header().Set("X-Kept", "1")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			for _, v := range []string{`W/"v1"`, `"v1"`, `"a", "v1"`, "*", `"v2"`} {
				p.do(p.request("GET", "/", nil, "If-None-Match", v), "Etag", "Content-Type",
					"Content-Length", "X-Kept")
			}
		},
		want: `client: 304 Etag=["W/\"v1\""] X-Kept=["1"]; 304 Etag=["W/\"v1\""] X-Kept=["1"]; ` +
			`304 Etag=["W/\"v1\""] X-Kept=["1"]; 304 Etag=["W/\"v1\""] X-Kept=["1"]; ` +
			`200 Etag=["W/\"v1\""] Content-Type=["a/b"] Content-Length=["10"] X-Kept=["1"] ` +
			`"0123456789"`,
	},
	{
		name: "9110-13.1.2/If-None-Match_of_another_method",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			p.do(p.request("PUT", "/", strings.NewReader("x"), "If-None-Match", "*"), "Etag",
				"Content-Length")
		},
		want: `client: 412 Etag=["\"v1\""] Content-Length=["0"]`,
	},
	{
		name: "9113-8.1.1/a_length_declared_and_nothing_written",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			p.do(p.request("PUT", "/", strings.NewReader("x"), "If-None-Match", "*"), "Etag",
				"Content-Length")
		},
		what:    "an answer shorter than its Content-Length",
		nethttp: `client: 412 Content-Length=["10"] unexpected EOF`,
		weir:    `client: 412 Content-Length=["10"] RST_STREAM INTERNAL_ERROR`,
		why:     whyShort,
	},
	{
		name:   "9110-13.1.4/If-Unmodified-Since",
		server: files,
		client: func(p *play) {
			for _, v := range []string{"Sun, 09 Sep 2001 01:46:40 GMT",
				"Sun, 09 Sep 2001 01:46:39 GMT"} {
				p.do(p.request("GET", "/a.txt", nil, "If-Unmodified-Since", v))
			}
		},
		want: `client: 200 "0123456789"; 412`,
	},
	{
		name: "net/http/ServeFileFS",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, parityFS(), strings.TrimPrefix(r.URL.Query().Get("name"), "/"))
		},
		client: func(p *play) {
			p.get("/?name=a.txt", fileFields...)
			p.get("/x/..%2f?name=a.txt", fileFields...)
			p.get("/?name=none")
			p.get("/?name=dir", fileFields...)
		},
		want: `client: 200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"0123456789"; 400 Content-Length=["17"] Content-Type=["text/plain; ` +
			`charset=utf-8"] "invalid URL path\n"; 404 "404 page not found\n"; ` +
			`200 Content-Length=["8"] Content-Type=["text/html; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"<p>index"`,
	},
	{
		name: "net/http/ServeContent_that_cannot_seek",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Time{}, oddSeeker{strings.NewReader("x")})
		},
		client: func(p *play) { p.get("/", "Content-Length") },
		want:   `client: 500 Content-Length=["18"] "seeker can't seek\n"`,
	},
	{
		name: "net/http/ServeContent_of_nothing",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader(""))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET")
			p.wire("HEADERS 1 END_STREAM HEAD")
			p.wire("HEADERS 1 END_STREAM GET range=bytes=0-1")
		},
		want: `wire: HEADERS 1 END_STREAM :status=200 accept-ranges=bytes content-length=0 ` +
			`"content-type=text/plain; charset=utf-8" date=now; ` +
			`HEADERS 1 END_STREAM :status=200 accept-ranges=bytes content-length=0 ` +
			`"content-type=text/plain; charset=utf-8" date=now; ` +
			`HEADERS 1 END_STREAM :status=200 accept-ranges=bytes content-length=0 ` +
			`"content-type=text/plain; charset=utf-8" date=now`,
	},
	{
		name: "net/http/ServeContent_with_a_coding",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("coded"))
		},
		client: func(p *play) {
			p.get("/", "Content-Length", "Content-Encoding")
			p.do(p.request("GET", "/", nil, "Range", "bytes=1-2"), "Content-Length",
				"Content-Encoding")
		},
		want: `client: 200 Content-Length=["5"] Content-Encoding=["br"] "coded"; ` +
			`206 Content-Length=["2"] Content-Encoding=["br"] "od"`,
	},
	{
		name: "net/http/errors_of_ServeContent_drop_fields",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			w.Header().Set("Cache-Control", "max-age=9")
			w.Header().Set("Content-Encoding", "br")
			http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			p.do(p.request("GET", "/", nil, "Range", "bytes=50-"), "Etag", "Cache-Control",
				"Content-Encoding", "Content-Range")
		},
		want: `client: 416 Content-Range=["bytes */10"] "invalid range: failed to overlap\n"`,
	},
}
