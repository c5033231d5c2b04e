//go:build !linux

package h1

import (
	"net"

	"weir/stream"
)

// sock is not needed where every stream has a goroutine of its own.
type sock struct{}

func (t *tunnel) adopt(net.Conn) bool { return false }

func (t *tunnel) stir() {
	t.wake.ring()
	t.callReader()
}

func (s *sock) try([]byte) (int, error) { panic("h1: BUG: no socket of our own") }

func (t *tunnel) begin() { panic("h1: BUG: no socket of our own") }

func (s *sock) tryAll([][]byte) (int, error) { panic("h1: BUG: no socket of our own") }

func (s *sock) enlist(stream.Turner) { panic("h1: BUG: no socket of our own") }
