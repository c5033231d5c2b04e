// Command nethttp is net/http's own HTTP/2, in cleartext and over TLS, for scripts that compare it with weir's. It prints
// its addresses in the form of `weir serve`, and runs until it is killed.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
)

// answer reads the request to its end, so that what is wrong with the end of a body comes before the answer.
func answer(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	io.WriteString(w, "net/http\n")
}

func main() {
	clear := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetHTTP1(true)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	encrypted := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	encrypted.EnableHTTP2 = true
	encrypted.StartTLS()

	type address struct {
		URL string `json:"url"`
	}
	json.NewEncoder(os.Stdout).Encode(struct {
		Event     string    `json:"event"`
		Addresses []address `json:"addresses"`
	}{"listening", []address{{clear.URL}, {encrypted.URL}}})
	select {}
}
