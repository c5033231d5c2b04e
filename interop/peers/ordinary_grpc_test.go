package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// message is the only type of message.
type message = wrapperspb.BytesValue

// rpcServer is a gRPC service of four methods, one of each kind. It is served by
// grpc.Server.ServeHTTP, and so by the HTTP/2 under http.Server. What it does is in the metadata of
// the call.
func rpcServer(s *site) http.Handler {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	stream := func(_ any, st grpc.ServerStream) error { return rpcServe(s, st) }
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "ordinary.Service",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Unary", Handler: stream}, // on the wire it is a stream of one message each way
			{StreamName: "Upload", Handler: stream, ClientStreams: true},
			{StreamName: "Download", Handler: stream, ServerStreams: true},
			{StreamName: "Both", Handler: stream, ClientStreams: true, ServerStreams: true},
		},
	}, nil)
	return g
}

// rpcServe is all methods.
func rpcServe(s *site, st grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(st.Context())
	first := func(key string) string { return strings.Join(md[key], "|") }
	number := func(key string) int { n, _ := strconv.Atoi(first(key)); return n }
	if first("head") != "" {
		if err := st.SetHeader(metadata.Pairs("head", first("head"), "head-bin", first("given-bin"))); err != nil {
			return err
		}
		st.SetTrailer(metadata.Pairs("tail", "end", "tail-bin", "\x00\xff"+first("given-bin")))
	}
	switch first("do") {
	case "fail at once":
		return status.Error(codes.PermissionDenied, "no: 100 %, ü\n")
	case "details":
		told, err := status.New(codes.FailedPrecondition, "see details").WithDetails(durationpb.New(time.Hour), wrapperspb.String("detail"))
		if err != nil {
			return err
		}
		return told.Err()
	case "wait":
		if err := st.SendHeader(nil); err != nil {
			return err
		}
		<-st.Context().Done()
		s.note("the call is over")
		return st.Context().Err()
	case "download":
		for i := range number("count") {
			if err := st.SendMsg(&message{Value: pattern(number("size"))}); err != nil {
				s.note("the call is over")
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		if first("then") == "fail" {
			return status.Error(codes.Aborted, "after all")
		}
		return nil
	case "one answer": // to many messages
		messages, octets := 0, 0
		for {
			var m message
			err := st.RecvMsg(&m)
			if errors.Is(err, io.EOF) {
				return st.SendMsg(&message{Value: fmt.Appendf(nil, "%d messages of %d octets", messages, octets)})
			}
			if err != nil {
				s.note("the call is over")
				return err
			}
			messages, octets = messages+1, octets+len(m.Value)
			if first("until") != "" && messages == number("until") {
				return status.Error(codes.ResourceExhausted, "enough")
			}
		}
	case "steps": // a message for each of the test's steps
		for i := range 3 {
			if err := st.SendMsg(&message{Value: []byte{byte('0' + i)}}); err != nil {
				return err
			}
			s.turned(st.Context())
		}
		return nil
	}
	for { // each message comes back
		var m message
		if err := st.RecvMsg(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			s.note("the call is over")
			return err
		}
		if err := st.SendMsg(&m); err != nil {
			return err
		}
	}
}

// dialRPC is a gRPC client of the site.
func (s *site) dialRPC(opts ...grpc.DialOption) *grpc.ClientConn {
	s.t.Helper()
	creds := insecure.NewCredentials()
	if s.secure {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	c, err := grpc.NewClient("passthrough:///"+s.addr, append([]grpc.DialOption{grpc.WithTransportCredentials(creds)}, opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// call is one RPC with so many messages of so many octets, all sent before the first is read, and
// what became of it.
func call(ctx context.Context, c *grpc.ClientConn, method string, count, size int, opts ...grpc.CallOption) string {
	desc := &grpc.StreamDesc{ClientStreams: method == "Upload" || method == "Both", ServerStreams: method == "Download" || method == "Both"}
	st, err := c.NewStream(ctx, desc, "/ordinary.Service/"+method, append(opts, grpc.MaxCallRecvMsgSize(8<<20))...)
	if err != nil {
		return rpcFault(err)
	}
	received := make(chan string, 1)
	go func() { received <- receive(st, desc.ServerStreams) }() // ends with the call
	for range count {
		if err := st.SendMsg(&message{Value: pattern(size)}); err != nil {
			if !errors.Is(err, io.EOF) { // EOF: see what was received
				return "sent: " + rpcFault(err) + ", received: " + <-received
			}
			break
		}
	}
	st.CloseSend()
	text := <-received
	head, _ := st.Header()
	return fmt.Sprintf("%s, header %s, trailer %s", text, rpcFields(head), rpcFields(st.Trailer()))
}

// receive takes all messages; runs of the same are counted.
func receive(st grpc.ClientStream, many bool) string {
	var text strings.Builder
	var last []byte
	run := 0
	flush := func() {
		if run > 0 {
			fmt.Fprintf(&text, "%d × %s, ", run, summary(last))
		}
		run = 0
	}
	for {
		var m message
		if err := st.RecvMsg(&m); err != nil {
			flush()
			return text.String() + rpcFault(err)
		}
		if run > 0 && !bytes.Equal(m.Value, last) {
			flush()
		}
		run++
		last = m.Value
		if !many {
			flush()
			return text.String() + "OK"
		}
	}
}

// rpcFault is the end of a call: its code, text and details; of errors that the client made up, the
// code only.
func rpcFault(err error) string {
	if errors.Is(err, io.EOF) {
		return "OK"
	}
	told := status.Convert(err)
	if code := told.Code(); code == codes.Unavailable || code == codes.Canceled || code == codes.DeadlineExceeded {
		return code.String()
	}
	return fmt.Sprintf("%s %q %v", told.Code(), told.Message(), told.Details())
}

// rpcFields are those of md but Date and the like, which gRPC does not read.
func rpcFields(md metadata.MD) string {
	h := http.Header{}
	for k, v := range md {
		if k != "date" {
			h[k] = v
		}
	}
	return fields(h)
}

func rpcAct(name, method string, count, size int, pairs []string, opts []grpc.CallOption, want string) act {
	return act{name: name, want: want, do: func(s *site) string {
		s.handler = rpcServer(s)
		return call(metadata.AppendToOutgoingContext(bounded(s.t), pairs...), s.dialRPC(), method, count, size, opts...)
	}}
}

func TestOrdinaryGRPC(t *testing.T) {
	const fields = `header [content-type=["application/grpc"] trailer=["Grpc-Status" "Grpc-Message" "Grpc-Status-Details-Bin"]], trailer []`
	do := func(what string, pairs ...string) []string { return append(pairs, "do", what) }
	squeezed := []grpc.CallOption{grpc.UseCompressor(gzip.Name)}
	acts := []act{
		rpcAct("unary", "Unary", 1, 10, nil, nil, `1 × "ahovcjqxel", OK, `+fields),
		rpcAct("unary_empty", "Unary", 1, 0, nil, nil, `1 × "", OK, `+fields),
		rpcAct("unary_4_MiB", "Unary", 1, 4<<20, nil, nil, "1 × 4194304 octets as sent, OK, "+fields),
		rpcAct("unary_compressed", "Unary", 1, 100_000, nil, squeezed, ""),
		rpcAct("metadata", "Unary", 1, 1, []string{"head", "a", "given-bin", "\x00\x01\xfe\xff"}, nil, ""),
		rpcAct("metadata_many_values", "Unary", 1, 1, []string{"head", "a", "head", "b", "given-bin", "\xff", "given-bin", ""}, nil, ""),
		rpcAct("metadata_16_KiB", "Unary", 1, 1, []string{"head", strings.Repeat("h", 16<<10)}, nil, ""),
		rpcAct("unknown_method", "Nothing", 1, 1, nil, nil, ""),
		rpcAct("trailers_only", "Unary", 1, 1, do("fail at once"), nil, ""),
		rpcAct("trailers_only_with_metadata", "Both", 1, 1, do("fail at once", "head", "a", "given-bin", "\x80"), nil, ""),
		rpcAct("details_of_an_error", "Unary", 1, 1, do("details"), nil, ""),
		rpcAct("no_answer_message", "Unary", 1, 1, do("download"), nil, ""),
		rpcAct("client_stream", "Upload", 1000, 100, do("one answer"), nil, `1 × "1000 messages of 100000 octets", OK, `+fields),
		rpcAct("client_stream_of_none", "Upload", 0, 0, do("one answer"), nil, `1 × "0 messages of 0 octets", OK, `+fields),
		rpcAct("client_stream_of_large_ones", "Upload", 8, 4<<20, do("one answer"), nil, `1 × "8 messages of 33554432 octets", OK, `+fields),
		rpcAct("client_stream_of_150_000_of_5_octets", "Upload", 150_000, 0, do("one answer"), nil, `1 × "150000 messages of 0 octets", OK, `+fields),
		rpcAct("client_stream_ended_by_the_server", "Upload", 1_000_000, 100, do("one answer", "until", "10"), nil, `ResourceExhausted "enough" [], `+fields),
		rpcAct("client_stream_compressed", "Upload", 500, 1000, do("one answer"), squeezed, ""),
		rpcAct("server_stream", "Download", 1, 0, do("download", "count", "1000", "size", "100"), nil, ""),
		rpcAct("server_stream_of_large_ones", "Download", 1, 0, do("download", "count", "8", "size", "4194304"), nil, ""),
		rpcAct("server_stream_of_100_000_small_ones", "Download", 1, 0, do("download", "count", "100000", "size", "5"), nil, ""),
		rpcAct("server_stream_that_fails", "Download", 1, 0, do("download", "count", "10", "size", "10", "then", "fail"), nil, ""),
		rpcAct("both_streams", "Both", 1000, 1000, nil, nil, "1000 × 1000 octets as sent, OK, "+fields),
		rpcAct("both_streams_compressed", "Both", 200, 1000, nil, squeezed, ""),
		{name: "ping_pong", do: func(s *site) string {
			s.handler = rpcServer(s)
			st, err := s.dialRPC().NewStream(bounded(s.t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/ordinary.Service/Both")
			if err != nil {
				return rpcFault(err)
			}
			for i := range 1000 {
				var m message
				if err := errors.Join(st.SendMsg(&message{Value: pattern(i)}), st.RecvMsg(&m)); err != nil || !bytes.Equal(m.Value, pattern(i)) {
					return fmt.Sprintf("%d: %s %s", i, summary(m.Value), rpcFault(err))
				}
			}
			st.CloseSend()
			return receive(st, true)
		}, want: "OK"},
		{name: "deadline_exceeded", do: func(s *site) string {
			s.handler = rpcServer(s)
			ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
			defer cancel()
			return call(metadata.AppendToOutgoingContext(ctx, "do", "wait"), s.dialRPC(grpc.WithDisableRetry()), "Both", 1, 1) + "; " + s.noted(1)
		}, want: "DeadlineExceeded, " + fields + "; the call is over"},
		{name: "cancelled_by_the_client", do: func(s *site) string {
			s.handler = rpcServer(s)
			ctx, cancel := context.WithCancel(s.t.Context())
			defer cancel()
			c := s.dialRPC()
			st, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/ordinary.Service/Both")
			if err != nil {
				return rpcFault(err)
			}
			var m message
			if err := errors.Join(st.SendMsg(&message{Value: []byte("x")}), st.RecvMsg(&m)); err != nil {
				return rpcFault(err)
			}
			cancel()
			return fmt.Sprintf("%s %s, %s; then %s", m.Value, rpcFault(st.RecvMsg(&m)), s.noted(1), call(bounded(s.t), c, "Unary", 1, 1))
		}, want: `x Canceled, the call is over; then 1 × "a", OK, ` + fields},
		{name: "download_cancelled", do: func(s *site) string {
			s.handler = rpcServer(s)
			ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(s.t.Context(), "do", "download", "count", "1000000", "size", "1000"))
			defer cancel()
			st, err := s.dialRPC().NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/ordinary.Service/Download")
			if err != nil {
				return rpcFault(err)
			}
			st.CloseSend()
			var m message
			for range 100 {
				if err := st.RecvMsg(&m); err != nil {
					return rpcFault(err)
				}
			}
			cancel()
			return s.noted(1)
		}, want: "the call is over"},
		{name: "client_connection_closed", do: func(s *site) string {
			s.handler = rpcServer(s)
			c := s.dialRPC()
			st, err := c.NewStream(metadata.AppendToOutgoingContext(bounded(s.t), "do", "wait"), &grpc.StreamDesc{ServerStreams: true}, "/ordinary.Service/Download")
			if err != nil {
				return rpcFault(err)
			}
			if _, err := st.Header(); err != nil {
				return rpcFault(err)
			}
			c.Close()
			return s.noted(1)
		}, want: "the call is over"},
		{name: "a_hundred_at_once", do: func(s *site) string {
			s.handler = rpcServer(s)
			return callMany(s, s.dialRPC(), 100)
		}, want: "100 × 50 × 1000 octets as sent, OK, " + fields},
		{name: "more_than_MaxConcurrentStreams", serve: func(hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 5} }, do: func(s *site) string {
			s.handler = rpcServer(s)
			c := s.dialRPC()
			if got := call(bounded(s.t), c, "Unary", 1, 1); !strings.HasPrefix(got, `1 × "a", OK`) { // by then the client has the SETTINGS
				return got
			}
			return callMany(s, c, 100)
		}, want: "100 × 50 × 1000 octets as sent, OK, " + fields},
		{name: "windows_of_its_own", do: func(s *site) string {
			s.handler = rpcServer(s)
			return call(bounded(s.t), s.dialRPC(grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(1<<24)), "Both", 100, 50_000)
		}, want: "100 × 50000 octets as sent, OK, " + fields},
		{name: "shutdown_while_streaming", do: func(s *site) string {
			s.handler = rpcServer(s)
			c := s.dialRPC()
			st, err := c.NewStream(metadata.AppendToOutgoingContext(bounded(s.t), "do", "steps"), &grpc.StreamDesc{ServerStreams: true}, "/ordinary.Service/Download")
			if err != nil {
				return rpcFault(err)
			}
			st.CloseSend()
			down := make(chan error, 1)
			var seen strings.Builder
			for i := range 3 {
				var m message
				err := st.RecvMsg(&m)
				if i == 0 {
					go func() { down <- s.hs.Shutdown(bounded(s.t)) }() // ends with the stream
				}
				fmt.Fprintf(&seen, "%s %v, %s", m.Value, err, s.step())
			}
			seen.WriteString(receive(st, true))
			return fmt.Sprintf("%s, shutdown %v, then %s", seen.String(), <-down, call(bounded(s.t), c, "Unary", 1, 1))
		}, want: "0 <nil>, 1 <nil>, 2 <nil>, OK, shutdown <nil>, then Unavailable"},
	}
	if *long { // 10 s is the least that the client takes
		acts = append(acts, act{name: "keepalive", do: func(s *site) string {
			s.handler = rpcServer(s)
			c := s.dialRPC(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}))
			st, err := c.NewStream(bounded(s.t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/ordinary.Service/Both")
			if err != nil {
				return rpcFault(err)
			}
			time.Sleep(25 * time.Second)
			var m message
			err = errors.Join(st.SendMsg(&message{Value: []byte("x")}), st.RecvMsg(&m))
			return fmt.Sprintf("%s %v", m.Value, err)
		}, want: "x <nil>"})
	}
	sameOnBoth(t, acts)
}

// callMany is so many calls at once.
func callMany(s *site, c *grpc.ClientConn, calls int) string {
	var wg sync.WaitGroup
	seen := make(chan string, calls)
	for range calls {
		wg.Go(func() { seen <- call(bounded(s.t), c, "Both", 50, 1000) })
	}
	wg.Wait()
	close(seen)
	count := map[string]int{}
	for text := range seen {
		count[text]++
	}
	var all []string
	for text, n := range count {
		all = append(all, fmt.Sprintf("%d × %s", n, text))
	}
	return strings.Join(all, "; ")
}
