package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"weir/h2"
)

// servers are what is compared; the second to the first.
var servers = []string{"net/http", "weir"}

// serveChild is the process of a server. It prints its address, and for each line on standard input
// how many octets of its heap are alive; with the word free it gives to the system what is not. It
// ends with standard input.
func serveChild(name string, secure bool) {
	hs := &http.Server{Handler: http.HandlerFunc(handle), Protocols: new(http.Protocols)}
	hs.ErrorLog = log.New(io.Discard, "", 0)
	hs.Protocols.SetHTTP2(true)
	hs.Protocols.SetUnencryptedHTTP2(true)
	if secure {
		hs.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned()}}
	}
	switch name {
	case "net/http":
	case "weir":
		if _, err := h2.ConfigureServer(hs, nil); err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatalf("no server is called %q", name)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	if secure {
		go hs.ServeTLS(l, "", "") // ends with the process
	} else {
		go hs.Serve(l) // ends with the process
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "free" {
			debug.FreeOSMemory()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.HeapAlloc)
	}
}

// handle reads what it is sent, and says how much that was; a GET of /N has N octets.
func handle(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, n)
		return
	}
	n, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil || n < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	for b := make([]byte, 32<<10); n > 0; n -= len(b) {
		if _, err := w.Write(b[:min(n, len(b))]); err != nil {
			return
		}
	}
}

// selfSigned is a certificate for 127.0.0.1.
func selfSigned() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	t.NotBefore, t.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// child is a server that runs.
type child struct {
	name string
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func startChild(name string, secure bool) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &child{name: name, cmd: exec.Command(self, "-serve", name, fmt.Sprintf("-tls=%v", secure))}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if !s.out.Scan() {
		s.stop()
		return nil, fmt.Errorf("%s did not start", name)
	}
	s.addr = s.out.Text()
	return s, nil
}

func (s *child) stop() {
	s.in.Close()
	s.cmd.Wait()
}

// heap is how many octets of the server's heap are alive; free: what is not is given to the system.
func (s *child) heap(free bool) int {
	word := "heap"
	if free {
		word = "free"
	}
	fmt.Fprintln(s.in, word)
	if !s.out.Scan() {
		return 0
	}
	n, _ := strconv.Atoi(s.out.Text()) // the server is gone: 0
	return n
}

// resident is how many octets of the server's memory are resident, 0 where there is no /proc.
func (s *child) resident() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	n, _ := strconv.Atoi(f[1])
	return n * os.Getpagesize()
}

// cpu is how long the threads of the server have run.
func (s *child) cpu() time.Duration {
	var sum time.Duration
	dir := fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, t := range tasks {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/schedstat")
		if err != nil {
			continue // the thread has ended
		}
		n, _, _ := strings.Cut(string(b), " ")
		ns, _ := strconv.ParseInt(n, 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}
