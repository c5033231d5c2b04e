//go:build !linux

package main

import "net"

func lowat(net.Conn) {}
