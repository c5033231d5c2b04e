package h2

import (
	"weir/flow"

	"golang.org/x/net/http2"
)

// initialTable is SETTINGS_HEADER_TABLE_SIZE of both sides until they say otherwise
// (RFC 9113, 6.5.2).
const initialTable = 4096

// peerSettings are the peer's, as far as they matter to us.
type peerSettings struct {
	seen          bool
	initialWindow int
	maxFrame      int
	connect       bool
	maxHeaderList uint32 // 0: not named
	maxStreams    int    // that we may have open at once
}

// mySettings says how far ours have come: what they forbid counts from the ACK on (RFC 9113,
// 6.5.3), what they allow at once.
type mySettings struct {
	acked bool
}

// window is the credit that a new stream begins with.
func (m *mySettings) window(cfg coreConfig) int {
	if m.acked {
		return cfg.initialWindow
	}
	return max(cfg.initialWindow, flow.DefaultWindow)
}

// sendSettings queues our SETTINGS, the first frame of ours (RFC 9113, 3.4), and the connection's
// window.
func (c *core) sendSettings() {
	first := http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.cfg.maxStreams)}
	if c.cfg.client {
		c.out = append(c.out, http2.ClientPreface...)
		first = http2.Setting{ID: http2.SettingEnablePush, Val: 0}
	}
	ss := []http2.Setting{
		first,
		{ID: http2.SettingInitialWindowSize, Val: uint32(c.cfg.initialWindow)},
		{ID: http2.SettingMaxFrameSize, Val: uint32(c.cfg.maxFrame)},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.cfg.maxHeaderList)},
	}
	if c.cfg.decoderTable != initialTable {
		n := uint32(c.cfg.decoderTable)
		ss = append(ss, http2.Setting{ID: http2.SettingHeaderTableSize, Val: n})
	}
	if c.cfg.connect && !c.cfg.client { // RFC 8441, 3; there are peers that take its presence for a yes
		ss = append(ss, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	}
	if !c.cfg.client { // RFC 9218, 2.1: it is that scheme which is obeyed, and no other
		ss = append(ss, http2.Setting{ID: http2.SettingNoRFC7540Priorities, Val: 1})
	}
	c.must(c.fr.WriteSettings(ss...))
	c.sendCredit(0, c.credit.Resize(c.cfg.connWindow))
}

// settings takes the peer's SETTINGS (RFC 9113, 6.5.2), or its ACK of ours.
func (c *core) settings(f *http2.SettingsFrame) {
	if f.IsAck() {
		c.settingsAcked()
		return
	}
	if !c.charge(LimitSettings, 1+f.NumSettings()) {
		return
	}
	for i := range f.NumSettings() {
		s := f.Setting(i)
		switch s.ID {
		case http2.SettingHeaderTableSize:
			c.henc.SetMaxDynamicTableSize(s.Val) // at most our own limit
		case http2.SettingEnablePush:
			if s.Val > 1 || s.Val == 1 && c.cfg.client {
				c.fail(ProtocolError, "RFC 9113, 6.5.2", "ENABLE_PUSH over 1, or 1 from a server")
				return
			}
		case http2.SettingMaxConcurrentStreams:
			c.peer.maxStreams = int(min(s.Val, 1<<31-1))
		case http2.SettingMaxHeaderListSize:
			c.peer.maxHeaderList = s.Val
		case http2.SettingInitialWindowSize:
			if !c.peerWindow(s.Val) {
				return
			}
		case http2.SettingMaxFrameSize:
			if s.Val < 16384 || s.Val > 1<<24-1 {
				c.fail(ProtocolError, "RFC 9113, 6.5.2", "MAX_FRAME_SIZE out of range")
				return
			}
			c.peer.maxFrame = int(s.Val)
		case http2.SettingEnableConnectProtocol:
			if s.Val > 1 || s.Val == 0 && c.peer.connect {
				c.fail(ProtocolError, "RFC 8441, 3", "ENABLE_CONNECT_PROTOCOL over 1, or taken back")
				return
			}
			c.peer.connect = s.Val == 1
		case http2.SettingNoRFC7540Priorities:
			if s.Val > 1 {
				c.fail(ProtocolError, "RFC 9218, 2.1", "NO_RFC7540_PRIORITIES over 1")
				return
			}
		}
	}
	if !c.peer.seen {
		c.peer.seen = true
		c.timers.greeted(c)
		if c.cfg.client {
			c.events.push(event{kind: evSettings})
		}
	}
	c.provoked(c.fr.WriteSettingsAck)
}

// peerWindow takes a new SETTINGS_INITIAL_WINDOW_SIZE, which moves the window of every stream (RFC
// 9113, 6.9.2).
func (c *core) peerWindow(v uint32) bool {
	if v > flow.MaxWindow {
		c.fail(FlowControlError, "RFC 9113, 6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1")
		return false
	}
	delta := int(v) - c.peer.initialWindow
	c.peer.initialWindow = int(v)
	if delta == 0 {
		return true
	}
	for s := c.oldest; s != nil; s = s.younger {
		if err := s.window.Shift(delta); err != nil {
			c.fail(FlowControlError, "RFC 9113, 6.9.2", "SETTINGS_INITIAL_WINDOW_SIZE takes a window over 2^31-1")
			return false
		}
		c.schedule(s)
	}
	return true
}

func (c *core) settingsAcked() {
	if c.mine.acked {
		c.fail(ProtocolError, "RFC 9113, 6.5", "ACK of SETTINGS that were not sent")
		return
	}
	before := c.mine.window(c.cfg)
	c.mine.acked = true
	// RFC 7541, 4.2: the peer's next block begins with a size of n at most.
	if n := uint32(c.cfg.decoderTable); n < initialTable {
		c.hdec.SetAllowedMaxDynamicTableSize(n)
		c.hdec.SetMaxDynamicTableSize(n)
	}
	c.timers.acked()
	c.trip.took(c.now.Sub(c.began))
	delta := c.mine.window(c.cfg) - before
	if delta == 0 {
		return
	}
	for s := c.oldest; s != nil; s = s.younger {
		if err := s.credit.Shift(delta); err != nil {
			panic("h2: BUG: a window that shrinks cannot overflow")
		}
		if s.want > 0 {
			c.grow(s, int(s.want))
		}
	}
}
