// Package websockettest tests handlers and clients of WebSockets: without a network, in fake time,
// over every transport. The test plays the peer.
//
//	func TestEcho(t *testing.T) {
//		websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
//			p := websockettest.Open(t, tr, new(echo), nil)
//			p.SendText("hello")
//			p.WantText("hello")
//			p.Close(1000, "bye")
//			p.WantReason("remote")
//		})
//	}
//
// [Open] is for one websocket.Handler, [Serve] for an http.Handler: its routes, its origins,
// handlers that block on a websocket.Conn. [Listen] is a server for code that dials. All three are
// in memory and give a [Peer], which sends whatever frames the test says, and wants those that it
// names. [NewServer] is a server on a socket, for real clients.
//
// # Time
//
// The package asks package time alone what time it is, and waits in no other way than on channels,
// locks and timers. So in a bubble of testing/synctest, which [Each] makes, everything works in fake
// time: an hour passes in a moment, and a timer is never late. There time.Sleep(time.Hour) is how a
// test lets an hour pass, and synctest.Wait how it lets everything come to rest. Outside of a bubble
// the same calls work in real time. A bubble holds all or nothing: Open, Serve and Listen are called
// in the bubble in which their peers are used, and NewServer outside.
//
// # Failures
//
// What does not come as it was wanted ends the test, at the line that wanted it, and with everything
// that has happened: what the peer sent and got, what each callback returned, when. A callback or an
// http.Handler that panics or calls runtime.Goexit fails the test with its stack, unless the test
// has wanted that by [Peer.WantReason].
package websockettest
