package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net"
	"os"
	"runtime/debug"
	"time"
)

// setting is how a server is set up, in every server's words.
type setting struct {
	Server    string
	Transport string // h1, h1tls, h2
	Compress  bool
	Takeover  bool // of the server's compressor
	UTF8      bool // text is validated by those that can; the others are not asked
	Broadcast bool // what one sends goes to all
}

// goServers are the servers in Go; each serves l until the process ends.
var goServers = map[string]func(l net.Listener, s setting){
	"weir":     serveWeir,
	"gorilla":  serveGorilla,
	"coder":    serveCoder,
	"gws":      serveGWS,
	"gobwas":   serveGobwas,
	"gathered": serveGobwasGather,
	"nbio":     serveNbio,
	"fasthttp": serveFast,
	"x/net":    serveXNet,
	"minimal":  serveMinimal,

	"gorilla-h1": serveGorilla,
	"gorilla-h2": serveGorilla,
}

// serveChild is the process of a server in Go: it prints its address, and obeys the word gc on standard input, after
// which its memory is what it needs. It ends with standard input.
func serveChild(arg string) {
	var s setting
	if err := json.Unmarshal([]byte(arg), &s); err != nil {
		log.Fatal(err)
	}
	serve, ok := goServers[s.Server]
	if !ok {
		log.Fatalf("no server is called %q", s.Server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	go serve(l, s) // ends with the process
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		debug.FreeOSMemory() // stacks shrink by half at each collection
		debug.FreeOSMemory()
		debug.FreeOSMemory()
		fmt.Println("ok")
	}
}

// selfSigned is a certificate for 127.0.0.1, as every server here has one.
func selfSigned() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secured puts TLS on l if the setting has it.
func secured(l net.Listener, s setting) net.Listener {
	if s.Transport != "h1tls" {
		return l
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{selfSigned()}, NextProtos: []string{"http/1.1"}})
}
