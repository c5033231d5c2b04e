package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// task is one transfer: n octets up or down.
type task struct {
	url    string // of the server, by way of the proxy
	secure bool
	up     bool
	n      int
	file   string // n octets
}

// clients make a transfer on a new connection, and say how long it took.
var clients = map[string]func(ctx context.Context, t task) (time.Duration, error){
	"go":   goClient,
	"curl": curlClient,
	"node": nodeClient,
}

// programs are what a client needs to be installed.
var programs = map[string]string{"curl": "curl", "node": "node"}

func goClient(ctx context.Context, t task) (time.Duration, error) {
	tr := &http.Transport{
		Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	if t.secure {
		tr.Protocols.SetHTTP2(true)
	} else {
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	defer tr.CloseIdleConnections()
	method, url, body := http.MethodGet, fmt.Sprintf("%s/%d", t.url, t.n), io.Reader(nil)
	if t.up {
		method, url, body = http.MethodPut, t.url+"/", bytes.NewReader(make([]byte, t.n))
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	res, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		return 0, fmt.Errorf("%s %s", res.Proto, res.Status)
	}
	if t.up {
		b, err := io.ReadAll(res.Body)
		took := time.Since(begin)
		return took, errors.Join(err, whole(string(b), t.n))
	}
	n, err := io.Copy(io.Discard, res.Body)
	took := time.Since(begin)
	return took, errors.Join(err, whole(strconv.FormatInt(n, 10), t.n))
}

// whole holds how many octets have arrived against how many were sent.
func whole(got string, n int) error {
	if got != strconv.Itoa(n) {
		return fmt.Errorf("%s octets of %d arrived", got, n)
	}
	return nil
}

func curlClient(ctx context.Context, t task) (time.Duration, error) {
	args := []string{"-sS", "-k", "--http2-prior-knowledge",
		"-w", "\n%{time_total} %{http_version} %{http_code} %{size_download}"}
	if t.secure {
		args[2] = "--http2"
	}
	if t.up {
		args = append(args, "-T", t.file, t.url+"/")
	} else {
		args = append(args, "-o", os.DevNull, fmt.Sprintf("%s/%d", t.url, t.n))
	}
	out, err := exec.CommandContext(ctx, "curl", args...).Output()
	if err != nil {
		return 0, errorOf("curl", err)
	}
	answer, line, _ := strings.Cut(string(out), "\n")
	var seconds float64
	var version, status string
	var got int
	_, err = fmt.Sscan(line, &seconds, &version, &status, &got)
	if err != nil || version != "2" || status != "200" {
		return 0, fmt.Errorf("curl: %q", out)
	}
	if !t.up {
		answer = strconv.Itoa(got)
	}
	return time.Duration(seconds * float64(time.Second)), whole(answer, t.n)
}

// nodeScript takes a URL, "up" or "down", and a number of octets. It prints how many milliseconds
// it took and how many octets arrived.
const nodeScript = `
const http2 = require('http2');
const [url, way, n] = [process.argv[1], process.argv[2], +process.argv[3]];
const begin = process.hrtime.bigint();
const settings = { initialWindowSize: 4 << 20 };
const session = http2.connect(url, { rejectUnauthorized: false, settings });
session.on('connect', () => session.setLocalWindowSize(16 << 20));
session.on('error', (e) => { console.error(e); process.exit(1); });
const up = way === 'up';
const stream = session.request(up ?
  { ':method': 'PUT', ':path': '/', 'content-length': n } : { ':method': 'GET', ':path': '/' + n });
let status = 0, got = 0, text = '';
stream.on('response', (h) => { status = h[':status']; });
stream.on('data', (b) => { got += b.length; if (up) text += b; });
stream.on('error', (e) => { console.error(e); process.exit(1); });
stream.on('end', () => {
  console.log(Number(process.hrtime.bigint() - begin) / 1e6, status, up ? text : got);
  session.destroy();
});
if (!up) {
  stream.end();
} else {
  const piece = Buffer.alloc(64 << 10);
  let left = n;
  const write = () => {
    while (left > 0) {
      const b = left < piece.length ? piece.subarray(0, left) : piece;
      left -= b.length;
      if (!stream.write(b) && left > 0) return stream.once('drain', write);
    }
    stream.end();
  };
  write();
}
`

func nodeClient(ctx context.Context, t task) (time.Duration, error) {
	direction := "down"
	if t.up {
		direction = "up"
	}
	n := strconv.Itoa(t.n)
	out, err := exec.CommandContext(ctx, "node", "-e", nodeScript, t.url, direction, n).Output()
	if err != nil {
		return 0, errorOf("node", err)
	}
	var ms float64
	var status, got string
	if _, err := fmt.Sscan(string(out), &ms, &status, &got); err != nil || status != "200" {
		return 0, fmt.Errorf("node: %q", out)
	}
	return time.Duration(ms * float64(time.Millisecond)), whole(got, t.n)
}

// errorOf says what a program had against it.
func errorOf(name string, err error) error {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %v: %s", name, err, bytes.TrimSpace(e.Stderr))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// files makes a file of each size.
func files(dir string, sizes []int) (map[int]string, error) {
	have := map[int]string{}
	for _, n := range sizes {
		have[n] = filepath.Join(dir, strconv.Itoa(n))
		f, err := os.Create(have[n])
		if err != nil {
			return nil, err
		}
		if err := errors.Join(f.Truncate(int64(n)), f.Close()); err != nil {
			return nil, err
		}
	}
	return have, nil
}
