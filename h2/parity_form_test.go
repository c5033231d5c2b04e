package h2_test

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

const (
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=x"
)

// part is one part of a multipart body with the boundary x.
func part(disposition, content string) string {
	return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
}

// post sends a body of a type through the Transport.
func (p *play) post(path, contentType, body string) {
	p.do(p.request("POST", path, strings.NewReader(body), "Content-Type", contentType))
}

// parityForms are about forms, and what a handler reads of a body by way of them.
var parityForms = []parityCase{
	{
		name: "net/http/ParseForm_by_method",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			err := r.ParseForm()
			p.note("handler", "%s form=%v post=%v %s", r.Method, r.Form, r.PostForm, broken(err))
		},
		client: func(p *play) {
			for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				p.do(p.request(m, "/?a=0&c=3", strings.NewReader("a=1&b=2"), "Content-Type",
					formType))
			}
		},
		want: `client: 200; 200; 200; 200; 200 | handler: GET form=map[a:[0] c:[3]] post=map[] ` +
			`ok; ` +
			`POST form=map[a:[1 0] b:[2] c:[3]] post=map[a:[1] b:[2]] ok; ` +
			`PUT form=map[a:[1 0] b:[2] c:[3]] post=map[a:[1] b:[2]] ok; ` +
			`PATCH form=map[a:[1 0] b:[2] c:[3]] post=map[a:[1] b:[2]] ok; ` +
			`DELETE form=map[a:[0] c:[3]] post=map[] ok`,
	},
	{
		name: "net/http/PostFormValue_of_several_values",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%q %q %q", r.PostFormValue("a"), r.FormValue("a"), r.Form["a"])
		},
		client: func(p *play) { p.post("/?a=query", formType, "a=%20one&a=two%2B&b=&c") },
		want:   `client: 200 | handler: " one" " one" [" one" "two+" "query"]`,
	},
	{
		name: "net/http/ParseForm_of_a_broken_form",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			err := r.ParseForm()
			p.note("handler", "%v %v", r.Form, err)
		},
		client: func(p *play) {
			p.post("/", formType, "a=%zz&b=2")
			p.post("/", formType, "a=1;b=2")
			p.post("/", "text/;", "a=1")
			p.post("/", "text/plain", "a=1")
		},
		want: `client: 200; 200; 200; 200 | handler: map[b:[2]] invalid URL escape "%zz"; ` +
			`map[] invalid semicolon separator in query; map[] mime: expected token after slash; ` +
			`map[] <nil>`,
	},
	{
		name: "net/http/ParseForm_is_bounded",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%v", r.ParseForm())
		},
		client: func(p *play) { p.post("/", formType, "a="+strings.Repeat("x", 11<<20)) },
		want:   `client: 200 | handler: http: POST too large`,
	},
	{
		name: "net/http/ParseForm_behind_MaxBytesReader",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 10)
			if err := r.ParseForm(); err != nil {
				p.note("handler", "%s %v", fault(err), r.Form)
				if mb, ok := errors.AsType[*http.MaxBytesError](err); ok {
					http.Error(w, fmt.Sprint("at most ", mb.Limit),
						http.StatusRequestEntityTooLarge)
				}
			}
		},
		client: func(p *play) {
			p.post("/", formType, "a=12345678")
			p.post("/", formType, "a=123456789")
			p.post("/", formType, "a="+strings.Repeat("x", 4<<20))
			p.post("/", formType, "a=1")
		},
		want: `client: 200; 413 "at most 10\n"; 413 "at most 10\n"; 200 | ` +
			`handler: MaxBytesError map[]; MaxBytesError map[]`,
	},
	{
		name: "net/http/ParseMultipartForm",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			err := r.ParseMultipartForm(1 << 20)
			p.note("handler", "%s value=%v file=%d form=%v post=%v", broken(err),
				r.MultipartForm.Value,
				len(r.MultipartForm.File["f"]), r.Form, r.PostForm)
		},
		client: func(p *play) {
			p.post("/?a=0", multipartType, part(`name="a"`, "1")+part(`name="a"`, "2")+
				part(`name="f"; filename="x.txt"`, "one")+part(`name="f"; filename="y.txt"`,
				"two")+"--x--\r\n")
		},
		want: `client: 200 | ` +
			`handler: ok value=map[a:[1 2]] file=2 form=map[a:[0 1 2]] post=map[a:[1 2]]`,
	},
	{
		name: "net/http/ParseMultipartForm_with_a_file_on_disk",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if err := r.ParseMultipartForm(1); err != nil {
				p.note("handler", "%v", err)
				return
			}
			f, h, err := r.FormFile("f")
			if err != nil {
				p.note("handler", "%v", err)
				return
			}
			defer f.Close()
			n, err := io.Copy(io.Discard, f)
			p.note("handler", "%s %d %d %s", h.Filename, h.Size, n, fault(err))
		},
		client: func(p *play) {
			p.post("/", multipartType, part(`name="f"; filename="x.bin"`, strings.Repeat("b",
				300_000))+"--x--\r\n")
		},
		want: `client: 200 | handler: x.bin 300000 300000 ok`,
	},
	{
		name: "net/http/ParseMultipartForm_of_a_cut_body",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			err := r.ParseMultipartForm(1 << 20)
			p.note("handler", "%s", fault(err))
			http.Error(w, "cut", http.StatusBadRequest)
		},
		client: func(p *play) { p.post("/", multipartType, part(`name="a"`, "1")) },
		want:   `client: 400 "cut\n" | handler: unexpected EOF`,
	},
	{
		name: "net/http/MultipartReader",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			mr, err := r.MultipartReader()
			if err != nil {
				p.note("handler", "%v", err)
				return
			}
			var pt *multipart.Part
			for pt, err = mr.NextPart(); err == nil; pt, err = mr.NextPart() {
				n, rerr := io.Copy(io.Discard, pt)
				p.note("handler", "%s %q %d %s", pt.FormName(), pt.FileName(), n, fault(rerr))
			}
			p.note("handler", "%s", fault(err))
			_, err = r.MultipartReader()
			p.note("handler", "%v", err)
		},
		client: func(p *play) {
			p.post("/", multipartType, part(`name="a"`, "1")+
				part(`name="f"; filename="x.bin"`, strings.Repeat("b", 200_000))+"--x--\r\n")
			p.post("/", "text/plain", "x")
		},
		want: `client: 200; 200 | handler: a "" 1 ok; f "x.bin" 200000 ok; EOF; ` +
			`http: MultipartReader called twice; request Content-Type isn't multipart/form-data`,
	},
	{
		name: "net/http/a_form_written_while_it_is_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			mr, err := r.MultipartReader()
			if err != nil {
				p.note("handler", "%v", err)
				return
			}
			for {
				pt, err := mr.NextPart()
				if err != nil {
					p.note("handler", "%s", fault(err))
					return
				}
				n, _ := io.Copy(w, pt)
				w.(http.Flusher).Flush()
				p.note("handler", "%s %d", pt.FormName(), n)
			}
		},
		client: func(p *play) {
			r, w := io.Pipe()
			mw := multipart.NewWriter(w)
			go func() { // ends with the form
				for i := range 3 {
					f, _ := mw.CreateFormFile(fmt.Sprint("f", i), "x")
					io.Copy(f, zeros(100_000))
				}
				mw.Close()
				w.Close()
			}()
			p.do(p.request("POST", "/", r, "Content-Type", mw.FormDataContentType()))
		},
		want: `client: 200 len=300000 | handler: f0 100000; f1 100000; f2 100000; EOF`,
	},
	{
		name: "net/http/PostForm_of_the_client",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%q %d %q", r.Header["Content-Type"], r.ContentLength,
				r.PostFormValue("k"))
		},
		client: func(p *play) {
			c := http.Client{Transport: p.tr}
			resp, err := c.PostForm(p.url("/"), url.Values{"k": {"a b&c", "ü"}})
			if err != nil {
				p.note("client", "%s", fault(err))
				return
			}
			p.answer(resp)
		},
		want: `client: 200 | handler: ["application/x-www-form-urlencoded"] 18 "a b&c"`,
	},
	{
		name: "net/http/AllowQuerySemicolons",
		server: func(p *play, hs *http.Server) {
			show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := r.ParseForm()
				p.note("handler", "%v %s", r.Form, broken(err))
			})
			mux := http.NewServeMux()
			mux.Handle("/strict", show)
			mux.Handle("/lax", http.AllowQuerySemicolons(show))
			hs.Handler = mux
		},
		client: func(p *play) {
			p.get("/strict?a=1;b=2&c=3")
			p.get("/lax?a=1;b=2&c=3")
			p.logged("semicolon")
		},
		want: `client: 200; 200 | handler: map[c:[3]] error; map[a:[1] b:[2] c:[3]] ok | ` +
			`log: 0 semicolon`,
	},
}
