package upgrade

import (
	"fmt"
	"net/http"
	"reflect"
)

// A Switch takes any handler and any options, for protocols are made by anybody. What makes one
// with types is here, and in websocket.Switch.

// LoopSwitch is the Switch to Loop. o may be nil.
func LoopSwitch(h LoopHandler, o *LoopOptions) *Switch { return switchTo(Loop, h, o) }

// Switch is the Switch to t. o may be nil.
func (t Tunnel) Switch(h TunnelHandler, o *TunnelOptions) *Switch { return switchTo(t, h, o) }

// Answered is the Switch of an init that has answered the request itself, and wants h to get
// Terminate(normal) all the same.
func Answered(h Terminator) *Switch { return &Switch{Handler: h} }

// ProtocolFunc is a Protocol that is a function, with the types that it takes: H is that of its
// handlers, O that of its options, of which it gets a pointer, nil if there are none. A Switch that
// has others is answered 500, and the log says so.
type ProtocolFunc[H, O any] func(w http.ResponseWriter, r *http.Request, handler H, opts *O) error

// Upgrade implements Protocol.
func (f ProtocolFunc[H, O]) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	h, ok := handler.(H)
	if !ok {
		return fmt.Errorf("upgrade: a handler is a %T, not a %s", handler, reflect.TypeFor[H]())
	}
	o, err := OptionsOf[O](opts)
	if err != nil {
		return err
	}
	return f(w, r, h, o)
}

// Switch is the Switch to f. o may be nil.
func (f ProtocolFunc[H, O]) Switch(h H, o *O) *Switch { return switchTo(f, h, o) }

// switchTo makes a Switch, whose options are nil if o is.
func switchTo[O any](p Protocol, h any, o *O) *Switch {
	sw := &Switch{Protocol: p, Handler: h}
	if o != nil {
		sw.Options = o
	}
	return sw
}
