// Package autobahn is the case catalogue that the WebSocket field knows by its numbers, 1.1.1 to 13.7.18: the same cases, ids,
// verdicts and verdicts on the close as the Autobahn testsuite 25.10.1 has, over HTTP/1.1 and HTTP/2. [Options.Cases] are for servers, [Server] is
// for clients that have a harness for the suite. Cases whose ids begin with "strict." ask what the catalogue does not.
//
// Everybody is one of two: the tester, which is this package, and the peer, which echoes. Over HTTP/2, "to drop the connection" is END_STREAM or
// RST_STREAM.
package autobahn
