// Package load puts load on a WebSocket server and measures it: what `weir bench` and interop/bench are made of. It shares
// no code with the stack that it measures, and costs less than any server: frames are masked once, answers are counted and
// only a sample of them is compared, and what many streams of one HTTP/2 connection send leaves in one write.
//
// An engine holds the WebSockets of one thread: links (connections) with sockets (WebSockets) on them. It takes octets and
// the time, and appends octets to an outbox for each link. Two shells run it: an event loop of its own over epoll, for
// cleartext on Linux, and goroutines over net.Conn, for TLS and for other systems.
//
// Latency is that of a message: from when it was to be sent to when its answer was read. In a closed loop that is when the
// answer to one before it came; in an open loop (Config.Rate) it is the time in the schedule, whether or not it could be
// sent then, so that a server that stalls is charged with every message that it kept waiting.
package load
