package websocket

import (
	"sync"

	"weir/wsframe"
	"weir/wsframe/deflate"
)

// Prepared is one frame, encoded once for any number of sessions; for those that agreed on
// compression it is compressed once for each level and window size, without context. It may be sent
// from any goroutine.
type Prepared struct {
	op      FrameType
	payload []byte
	plain   []byte // the frame uncompressed

	mu   sync.Mutex
	made map[deflateKey][]byte
}

type deflateKey struct{ level, bits int }

// Prepare encodes a frame; the payload is copied. A text is not checked for UTF-8.
func Prepare[T ~string | ~[]byte](t FrameType, payload T) *Prepared {
	plain := wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Opcode(t)}, []byte(payload))
	return &Prepared{op: t, payload: plain[len(plain)-len(payload):], plain: plain}
}

// SendPrepared sends a prepared frame.
func SendPrepared(p *Prepared) Command { return Command{kind: CommandPrepared, op: p.op, val: p} }

// deflated is the frame compressed for a level and a window.
func (p *Prepared) deflated(level, bits int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := deflateKey{level, bits}
	b, ok := p.made[k]
	if !ok {
		w := deflate.NewWriter(level, bits, false)
		b = appendDeflated(nil, wsframe.Header{Op: wsframe.Opcode(p.op)}, &w, p.payload)
		if p.made == nil {
			p.made = map[deflateKey][]byte{}
		}
		p.made[k] = b
	}
	return b
}
