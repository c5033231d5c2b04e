package fields_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"weir/internal/fields"
)

// What belongs to one connection stays behind (RFC 9110, 7.6.1).
func TestEndToEnd(t *testing.T) {
	got := http.Header{"Kept": {"before"}}
	fields.EndToEnd(got, http.Header{
		"Connection": {"Upgrade, x-one", " X-Two ,"}, "Upgrade": {"websocket"}, "X-One": {"1"}, "X-Two": {"2"}, "X-Three": {"3", "3"},
		"Te": {"trailers"}, "Keep-Alive": {"timeout=1"}, "Transfer-Encoding": {"chunked"}, ":protocol": {"websocket"},
		"Http2-Settings": {"x"}, "Proxy-Authorization": {"x"}, "Cookie": {"a=1"},
	})
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"Cookie", "Kept", "X-Three"}) || len(got["X-Three"]) != 2 {
		t.Errorf("%v", got)
	}
}
