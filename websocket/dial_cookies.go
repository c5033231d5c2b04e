package websocket

import (
	"net/http"
	"net/url"
)

// cookieURL is what a Jar is asked about: the URL with the host that the request names.
func (hs *clientHandshake) cookieURL() *url.URL {
	u := *hs.url
	u.User, u.Host = nil, hs.host
	return &u
}

// sendCookies adds the cookies of jar, which may be nil, to the request. Another field Cookie would
// be one too many (RFC 6265, 5.4).
func (hs *clientHandshake) sendCookies(jar http.CookieJar) {
	if jar == nil {
		return
	}
	r := http.Request{Header: http.Header{}}
	for _, c := range jar.Cookies(hs.cookieURL()) {
		r.AddCookie(c)
	}
	line := r.Header.Get("Cookie")
	if line == "" {
		return
	}
	given := hs.head["Cookie"]
	if len(given) == 0 {
		hs.head.Set("Cookie", line)
		return
	}
	if last := &given[len(given)-1]; *last == "" { // which says nothing
		*last = line
	} else {
		*last += "; " + line
	}
}

// keepCookies tells jar, which may be nil, the cookies of the server's answer, which may be nil.
func (hs *clientHandshake) keepCookies(jar http.CookieJar, resp *http.Response) {
	if jar == nil || resp == nil {
		return
	}
	if cookies := resp.Cookies(); len(cookies) > 0 {
		jar.SetCookies(hs.cookieURL(), cookies)
	}
}
