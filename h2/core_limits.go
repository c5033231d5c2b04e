package h2

import "time"

// Limit names a bound of Config that a peer can run into (RFC 9113, 10.5). Zero is none.
type Limit uint8

// The limits. The first group are rates, see Config.
const (
	LimitPeerResets Limit = iota + 1
	LimitFaults
	LimitRefused
	LimitPings
	LimitSettings
	LimitWindowUpdates
	LimitTinyData
	LimitIgnored

	LimitQueued        // MaxQueued
	LimitUnread        // MaxUnread
	LimitContinuations // MaxContinuations
	LimitHeaderList    // MaxHeaderListSize and MaxHeaderFields, far exceeded
	LimitHandshake     // HandshakeTimeout
	LimitWrite         // WriteTimeout
	LimitStall         // StallTimeout
	LimitMemory        // MaxMemory
	limits

	rates = LimitIgnored + 1
)

// limitTexts say, for each limit, the field of Config and what a peer did that ran into it.
var limitTexts = [limits]struct{ field, msg string }{
	LimitPeerResets:    {"MaxPeerResets", "streams are opened and reset"},
	LimitFaults:        {"MaxFaults", "faults that make us reset streams"},
	LimitRefused:       {"MaxRefused", "requests over SETTINGS_MAX_CONCURRENT_STREAMS"},
	LimitPings:         {"MaxPings", "too many PINGs"},
	LimitSettings:      {"MaxSettings", "too many SETTINGS"},
	LimitWindowUpdates: {"MaxWindowUpdates", "WINDOW_UPDATEs that nothing was sent for"},
	LimitTinyData:      {"MaxTinyData", "DATA frames with next to nothing in them"},
	LimitIgnored:       {"MaxIgnored", "frames that do nothing"},
	LimitQueued:        {"MaxQueued", "requests come faster than they are handled"},
	LimitUnread:        {"MaxUnread", "answers are not read"},
	LimitContinuations: {"MaxContinuations", "field block without end"},
	LimitHeaderList:    {"MaxHeaderListSize", "field block that unfolds far over the limits"},
	LimitHandshake:     {"HandshakeTimeout", "took too long"},
	LimitWrite:         {"WriteTimeout", "the socket takes nothing"},
	LimitMemory:        {"MaxMemory", "much waits on the streams, and is not read"},
	LimitStall:         {"StallTimeout", "nothing could be sent for want of window"},
}

// String is the name of the field of Config.
func (l Limit) String() string {
	if l < limits && limitTexts[l].field != "" {
		return limitTexts[l].field
	}
	return "none"
}

// rateWindow is the time that the rates of Config count over.
const rateWindow = 10 * time.Second

// budget is a rate with a burst: what is spent comes back evenly. It holds one instant, so that
// nothing has to run.
type budget struct {
	full time.Time // when all that was spent will have come back
}

// spend takes n of most. False: there was not so much left.
func (b *budget) spend(n, most int, now time.Time) bool {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(time.Duration(n) * (rateWindow / time.Duration(most)))
	return b.full.Sub(now) <= rateWindow
}

// earn gives n of most back; there is never more than most.
func (b *budget) earn(n, most int, now time.Time) {
	if b.full.After(now) {
		b.full = b.full.Add(-time.Duration(n) * (rateWindow / time.Duration(most)))
	}
}

// charge spends n of a rate, and ends the connection if there is not so much left: then it says
// false.
func (c *core) charge(l Limit, n int) bool {
	most := c.cfg.rates[l]
	if most <= 0 || c.budgets[l].spend(n, most, c.now) {
		return true
	}
	c.exceed(l)
	return false
}

func (c *core) earn(l Limit, n int) {
	if most := c.cfg.rates[l]; most > 0 {
		c.budgets[l].earn(n, most, c.now)
	}
}

// exceed ends the connection for a limit.
func (c *core) exceed(l Limit) { c.exceedBy(l, EnhanceYourCalm, "RFC 9113, 10.5", limitTexts[l].msg) }

func (c *core) exceedBy(l Limit, code Code, rule, msg string) {
	c.end(&ConnError{Code: code, Rule: rule, Msg: msg, Limit: l})
}

// premature is the age below which the peer's reset of a stream counts: a WebSocket that was used,
// a download that was begun, may be dropped at any time.
const premature = time.Second

// chargeReset counts the peer's RST_STREAM (CVE-2023-44487). One that comes behind our END_STREAM
// saves nobody's work.
func (c *core) chargeReset(s *coreStream) bool {
	return s.sent || s.age(c) >= premature || c.charge(LimitPeerResets, 1)
}

// chargeFault counts a stream error of the peer's making (CVE-2025-8671). What comes late for a
// stream that has gone (s is nil) ends nobody's work, and an honest peer sends it when many streams
// were reset early: it is noise.
func (c *core) chargeFault(s *coreStream) bool {
	if s == nil {
		return c.charge(LimitIgnored, 1)
	}
	return c.charge(LimitFaults, 1)
}

// tinyData is how many octets a DATA frame is expected to bring: the least that a client's
// WebSocket frame has (RFC 6455, 5.2).
const tinyData = 6

// smallestUnmasked is the least that a server's WebSocket frame has.
const smallestUnmasked = 2

// emptyData is what an empty DATA frame costs, in octets that are missing: so much that a whole
// window (RFC 9113, 6.9.2) of DATA frames of one octet may be thrown away at once, but not two.
const emptyData = 33

// lack is how many octets a DATA frame of n lacks; negative: how many are over. Frames of a server
// are not masked, so the smallest has 2 octets, and what is between is neither. One octet of two
// lacks as much as one of six: a frame costs the same in both roles, or nothing.
func (c *core) lack(n int) int {
	if c.cfg.client && n >= smallestUnmasked && n < tinyData {
		return 0
	}
	return tinyData - n
}

// chargeData counts a DATA frame by what it lacks, and takes more octets for an amends. The last
// frame of a stream may be empty. Frames that bring something are bounded by the stream's window,
// so they cost nothing until it is known that nobody consumes them: see consumed, and chargeUnread.
// s is nil for a stream that has gone.
func (c *core) chargeData(s *coreStream, n int, fin bool) bool {
	lack := c.lack(n)
	switch {
	case lack < 0:
		c.earn(LimitTinyData, -lack*emptyData/tinyData)
	case lack == 0 || fin && s != nil:
	case n > 0 && s != nil:
		s.lack += int32(lack)
	case n > 0: // as in chargeUnread: a part of a window may still have been under way
		return c.charge(LimitTinyData, lack)
	default:
		return c.charge(LimitTinyData, emptyData)
	}
	return true
}

// consumed forgets what frames lacked that brought n octets which somebody has consumed.
func (c *core) consumed(s *coreStream, n int) {
	if s.lack -= int32(min(n, 1<<20) * (tinyData - 1)); s.lack < 0 || s.credit.Held() == 0 {
		s.lack = 0
	}
}

// chargeUnread counts what the small DATA frames of a stream lacked that nobody has consumed when
// it closes.
func (c *core) chargeUnread(s *coreStream) {
	if n := int(s.lack); n > 0 && c.err == nil {
		s.lack = 0
		c.charge(LimitTinyData, n)
	}
}

// earnData is what a DATA frame of ours is worth to the peer in WINDOW_UPDATEs: one for the stream
// and one for the connection when it is all there was to send, and for its octets; and a PING, with
// which there are peers that measure the way (gRPC). A frame cut short by the window earns for its
// octets alone, or else a peer could have a stream sent octet by octet.
func (c *core) earnData(n int, whole bool) {
	n /= 32
	if whole {
		n += 2
		c.earn(LimitPings, 1)
	}
	c.earn(LimitWindowUpdates, n)
}
