//go:build !linux

package h1

import "time"

// room is not known where a socket does not tell how full it is.
type room struct{}

func (t *tunnel) lookBelow() {}

func (r *room) fits(int) bool { return false }

func (r *room) allow(conn, time.Time, time.Time) error { panic("h1: BUG: no room is known") }

func (r *room) forget() {}
