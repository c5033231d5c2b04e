package wsframe

// judge says what is wrong with the header at the start of b, as far as it is there. The checks stand in the order of
// the octets they need, so that a header judged whole fails for the same reason as one judged octet by octet. Of the
// checks of a length, form is certain no later than size wherever both fail.
func (r *Reader) judge(b []byte) *Error {
	if len(b) == 0 {
		return nil
	}
	if err := r.judgeFirst(b[0]); err != nil {
		return err
	}
	if len(b) == 1 {
		return nil
	}

	op, length := Opcode(b[0]&0xf), b[1]&0x7f
	switch {
	case op.IsControl() && length > MaxControl:
		return &Error{ProtocolError, "RFC 6455, 5.5", "control frame over 125 octets"}
	case op == Close && length == 1:
		return &Error{ProtocolError, "RFC 6455, 5.5.1", "close frame with one octet of payload"}
	case r.Client && b[1]&0x80 != 0:
		return &Error{ProtocolError, "RFC 6455, 5.1", "masked frame from a server"}
	case !r.Client && b[1]&0x80 == 0:
		return &Error{ProtocolError, "RFC 6455, 5.1", "unmasked frame from a client"}
	}

	// lo and hi are the least and the largest length that what is there allows; longest is the largest length that a
	// shorter form can carry.
	lo, hi, longest := uint64(length), uint64(length), uint64(0)
	switch length {
	case 126:
		lo, hi = bounds(b[2:], 2)
		longest = 125
	case 127:
		lo, hi = bounds(b[2:], 8)
		longest = 0xffff
	}
	switch room := r.room(op); {
	case lo>>63 != 0:
		return &Error{ProtocolError, "RFC 6455, 5.2", "length with the top bit set"}
	case length > 125 && hi <= longest:
		return &Error{ProtocolError, "RFC 6455, 5.2", "length not in the shortest form"}
	case room < 0 || lo > uint64(room):
		return &Error{MessageTooBig, "RFC 6455, 10.4", "message over the size limit"}
	}
	return nil
}

// judgeFirst judges a header's first octet.
func (r *Reader) judgeFirst(b0 byte) *Error {
	op, fin := Opcode(b0&0xf), b0&0x80 != 0
	rsv := b0 & 0x70
	if r.Deflate && (op == Text || op == Binary) {
		rsv &^= 0x40 // RFC 7692, 6
	}
	switch {
	case rsv != 0:
		return &Error{ProtocolError, "RFC 6455, 5.2", "reserved bit set"}
	case !op.Known():
		return &Error{ProtocolError, "RFC 6455, 5.2", "reserved opcode"}
	case op.IsControl():
		if !fin {
			return &Error{ProtocolError, "RFC 6455, 5.5", "fragmented control frame"}
		}
	case op == Continuation && r.msgOp == Continuation:
		return &Error{ProtocolError, "RFC 6455, 5.4", "continuation without a message"}
	case op != Continuation && r.msgOp != Continuation:
		return &Error{ProtocolError, "RFC 6455, 5.4", "data frame inside a fragmented message"}
	case op == Continuation && r.frames >= r.maxFragments():
		return &Error{PolicyViolation, "RFC 6455, 10.4", "message of too many fragments"}
	}
	return nil
}

// bounds is between what a length of size octets, in network order, can be when b holds the first of them.
func bounds(b []byte, size int) (lo, hi uint64) {
	for i := range size {
		lo, hi = lo<<8, hi<<8|0xff
		if i < len(b) {
			lo |= uint64(b[i])
			hi = hi&^0xff | uint64(b[i])
		}
	}
	return lo, hi
}
