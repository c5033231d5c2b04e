module weir/interop/bench

go 1.26.0

replace weir => ../..

require (
	github.com/lxzan/gws v1.8.9
	weir v0.0.0-00010101000000-000000000000
)

require (
	github.com/dolthub/maphash v0.1.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
