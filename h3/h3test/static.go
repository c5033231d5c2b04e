package h3test

// staticTable is that of RFC 9204, Appendix A: runs of entries with one name, in their order.
var staticTable = []struct {
	name   string
	values []string
}{
	{":authority", []string{""}},
	{":path", []string{"/"}},
	{"age", []string{"0"}},
	{"content-disposition", []string{""}},
	{"content-length", []string{"0"}},
	{"cookie", []string{""}},
	{"date", []string{""}},
	{"etag", []string{""}},
	{"if-modified-since", []string{""}},
	{"if-none-match", []string{""}},
	{"last-modified", []string{""}},
	{"link", []string{""}},
	{"location", []string{""}},
	{"referer", []string{""}},
	{"set-cookie", []string{""}},
	{":method", []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}},
	{":scheme", []string{"http", "https"}},
	{":status", []string{"103", "200", "304", "404", "503"}},
	{"accept", []string{"*/*", "application/dns-message"}},
	{"accept-encoding", []string{"gzip, deflate, br"}},
	{"accept-ranges", []string{"bytes"}},
	{"access-control-allow-headers", []string{"cache-control", "content-type"}},
	{"access-control-allow-origin", []string{"*"}},
	{"cache-control", []string{
		"max-age=0",
		"max-age=2592000",
		"max-age=604800",
		"no-cache",
		"no-store",
		"public, max-age=31536000",
	}},
	{"content-encoding", []string{"br", "gzip"}},
	{"content-type", []string{
		"application/dns-message",
		"application/javascript",
		"application/json",
		"application/x-www-form-urlencoded",
		"image/gif",
		"image/jpeg",
		"image/png",
		"text/css",
		"text/html; charset=utf-8",
		"text/plain",
		"text/plain;charset=utf-8",
	}},
	{"range", []string{"bytes=0-"}},
	{"strict-transport-security", []string{
		"max-age=31536000",
		"max-age=31536000; includesubdomains",
		"max-age=31536000; includesubdomains; preload",
	}},
	{"vary", []string{"accept-encoding", "origin"}},
	{"x-content-type-options", []string{"nosniff"}},
	{"x-xss-protection", []string{"1; mode=block"}},
	{":status", []string{"100", "204", "206", "302", "400", "403", "421", "425", "500"}},
	{"accept-language", []string{""}},
	{"access-control-allow-credentials", []string{"FALSE", "TRUE"}},
	{"access-control-allow-headers", []string{"*"}},
	{"access-control-allow-methods", []string{"get", "get, post, options", "options"}},
	{"access-control-expose-headers", []string{"content-length"}},
	{"access-control-request-headers", []string{"content-type"}},
	{"access-control-request-method", []string{"get", "post"}},
	{"alt-svc", []string{"clear"}},
	{"authorization", []string{""}},
	{"content-security-policy", []string{"script-src 'none'; object-src 'none'; base-uri 'none'"}},
	{"early-data", []string{"1"}},
	{"expect-ct", []string{""}},
	{"forwarded", []string{""}},
	{"if-range", []string{""}},
	{"origin", []string{""}},
	{"purpose", []string{"prefetch"}},
	{"server", []string{""}},
	{"timing-allow-origin", []string{"*"}},
	{"upgrade-insecure-requests", []string{"1"}},
	{"user-agent", []string{""}},
	{"x-forwarded-for", []string{""}},
	{"x-frame-options", []string{"deny", "sameorigin"}},
}

// staticEntry is the entry with an index, false if there is none.
func staticEntry(i uint64) (Field, bool) {
	for _, run := range staticTable {
		if i < uint64(len(run.values)) {
			return Field{run.name, run.values[i]}, true
		}
		i -= uint64(len(run.values))
	}
	return Field{}, false
}

// staticIndex is the first entry with a name, and the entry with its value; -1 where there is none.
func staticIndex(f Field) (name, both int) {
	name, both = -1, -1
	i := 0
	for _, run := range staticTable {
		for _, v := range run.values {
			if run.name == f.Name && name < 0 {
				name = i
			}
			if run.name == f.Name && v == f.Value && both < 0 {
				both = i
			}
			i++
		}
	}
	return name, both
}
