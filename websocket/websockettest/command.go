package websockettest

import (
	"reflect"

	"weir/websocket"
)

func cloned(c websocket.Command) websocket.Command { return c }

func equal(a, b websocket.Command) bool { return reflect.DeepEqual(a, b) }
