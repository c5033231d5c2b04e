package deflate

// Offer is the element of Sec-WebSocket-Extensions by which a client asks for o (RFC 7692, 7.1). It always says that
// the client can keep to a smaller window.
func Offer(o *Options) string {
	b := append(make([]byte, 0, 160), Name...)
	b = appendFlag(b, serverNoTakeover, o.ServerNoContextTakeover)
	b = appendFlag(b, clientNoTakeover, o.ClientNoContextTakeover)
	if n := clampBits(o.ServerMaxWindowBits); n < maxBits {
		b = appendBits(b, serverBits, n)
	}
	if n := clampBits(o.ClientMaxWindowBits); n < maxBits {
		b = appendBits(b, clientBits, n)
	} else {
		b = appendFlag(b, clientBits, true)
	}
	return string(b)
}

// Accept checks the parameters of a server's answer to Offer(o). An error is an *Error: the client fails the handshake
// (RFC 7692, 7.1). What a client may do by itself, a smaller window of its own and no takeover, it does even if the
// answer does not say so.
func Accept(o *Options, params []Param) (Params, error) {
	l, err := parseParams(params)
	if err != nil {
		return Params{}, err
	}
	server, client := clampBits(o.ServerMaxWindowBits), clampBits(o.ClientMaxWindowBits)
	switch {
	case l.bareClientBits:
		return Params{}, &Error{"RFC 7692, 7.1.2.2", clientBits + " without a value in an answer"}
	case o.ServerNoContextTakeover && !l.serverNoTakeover:
		return Params{}, &Error{"RFC 7692, 7.1.1.1", serverNoTakeover + " was asked for and is missing"}
	case server < maxBits && l.serverBits == 0:
		return Params{}, &Error{"RFC 7692, 7.1.2.1", serverBits + " was asked for and is missing"}
	case l.serverBits > server:
		return Params{}, &Error{"RFC 7692, 7.1.2.1", serverBits + " over what was asked for"}
	}
	if l.clientBits == 0 {
		l.clientBits = maxBits
	}
	return Params{
		ServerNoContextTakeover: l.serverNoTakeover,
		ClientNoContextTakeover: l.clientNoTakeover || o.ClientNoContextTakeover,
		ServerMaxWindowBits:     clampBits(l.serverBits),
		ClientMaxWindowBits:     min(l.clientBits, client),
	}, nil
}
