package autobahn

import (
	"context"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// Cases are the cases for a server: the 517 of the catalogue, in its order, and those that are
// stricter. How long a peer is waited for, which is a second where the catalogue says nothing else,
// is the target's pace.
func Cases() []conform.Case {
	specs := catalogue(new(library))
	specs = append(specs, stricter()...)
	cases := make([]conform.Case, len(specs))
	for i := range specs {
		s := &specs[i]
		cases[i] = s.asCase()
		cases[i].Run = s.dial
	}
	return append(cases, openings()...)
}

// catalogue is the 517 cases.
func catalogue(l *library) (all []spec) {
	for _, group := range [][]spec{framing(), pings(), reserved(), fragmentation(), texts(), closes(), limits(), autoFragments(), compression(l)} {
		all = append(all, group...)
	}
	return all
}

// asCase is the case without a Run.
func (s *spec) asCase() conform.Case {
	return conform.Case{ID: s.id, Title: s.title, Expect: s.expect, Section: s.section, Strict: s.strict, Busy: s.busy, Limit: s.limit}
}

// dial plays the case against a server.
func (s *spec) dial(ctx context.Context, t *conform.Target, log *conform.Log) conform.Outcome {
	r := wire.Request{Log: log, Subprotocols: s.subprotocols}
	if s.deflate != nil {
		r.Extensions = s.deflate.offer
	}
	c, err := wire.Dial(ctx, t, r)
	if err != nil {
		return s.unopened(err.Error())
	}
	if s.answer != nil {
		if why := s.answer(c.Header); why != "" {
			c.Close()
			return conform.Fail(why)
		}
	}
	agreed, err := readAnswer(c.Header["Sec-Websocket-Extensions"])
	if err != nil {
		c.Close()
		return s.unopened(err.Error())
	}
	return s.over(ctx, c, agreed, log, t.Pace)
}

// unopened is the outcome where no WebSocket came of it.
func (s *spec) unopened(why string) conform.Outcome {
	o := conform.Outcome{Body: conform.Failed, Close: conform.Failed, Why: "no WebSocket: " + why}
	if s.info {
		o.Body, o.Close = conform.Informational, conform.Informational
	}
	return o
}

// over plays the case over a WebSocket, which it closes.
func (s *spec) over(ctx context.Context, c *wire.Conn, agreed *params, log *conform.Log, pace *conform.Pace) conform.Outcome {
	t := &tester{ctx: ctx, c: c, spec: s, log: log, pace: pace, agreed: agreed}
	if agreed != nil {
		ours, theirs := bits(agreed.clientBits), bits(agreed.serverBits)
		fresh := agreed.serverFresh
		if !c.Client {
			ours, theirs, fresh = theirs, ours, agreed.clientFresh
		}
		t.packer = &packer{bits: ours}
		t.unpacker = &unpacker{fresh: fresh, bits: theirs, limit: maxMessage}
	}
	t.run()
	return t.outcome()
}
