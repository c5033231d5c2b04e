// Package reach is what the clients of HTTP/1.1 and HTTP/2, the Dialer and the command line share:
// how a server is named, how long it is waited for, what it turns out to speak, and what may be
// shown of it.
package reach
