package upgrade

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name string
		init func(w http.ResponseWriter)
		want bool
	}{
		{"nothing", func(http.ResponseWriter) {}, false},
		{"Header", func(w http.ResponseWriter) { w.Header().Set("A", "b") }, false},
		{"WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(403) }, true},
		{"9110-15.2/103", func(w http.ResponseWriter) { w.WriteHeader(103) }, false},
		{"9110-15.2/100", func(w http.ResponseWriter) { w.WriteHeader(100) }, false},
		{"Write", func(w http.ResponseWriter) { w.Write([]byte("x")) }, true},
		{"WriteString", func(w http.ResponseWriter) { io.WriteString(w, "x") }, true},
		{"ReadFrom", func(w http.ResponseWriter) { io.Copy(w, io.LimitReader(strings.NewReader("xyz"), 2)) }, true},
		{"Flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
		{"Controller/Flush", func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }, true},
		{"Controller/Flush_behind_middleware", func(w http.ResponseWriter) { http.NewResponseController(middleware{w}).Flush() }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Watch(middleware{httptest.NewRecorder()})
			c.init(w)
			if w.Answered() != c.want {
				t.Errorf("answered: %v", w.Answered())
			}
		})
	}
	t.Run("unsupported", func(t *testing.T) {
		w := Watch(struct{ http.ResponseWriter }{httptest.NewRecorder()})
		w.Flush()
		if _, _, err := w.Hijack(); err == nil || w.Answered() {
			t.Errorf("Hijack: %v, answered: %v", err, w.Answered())
		}
	})
	for name, behind := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"Hijack":                   func(w http.ResponseWriter) http.ResponseWriter { return w },
		"Hijack_behind_middleware": func(w http.ResponseWriter) http.ResponseWriter { return middleware{w} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := make(chan struct{})
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					defer close(done)
					watch := Watch(w)
					conn, _, err := http.NewResponseController(behind(watch)).Hijack()
					if err != nil || !watch.Answered() {
						t.Errorf("Hijack: %v, answered: %v", err, watch.Answered())
						return
					}
					conn.Close()
				})
				io.WriteString(c, h1Head+"\r\n")
				<-done
			})
		})
	}
}
