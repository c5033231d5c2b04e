package upgrade

// Crashed is the reason of a callback that panicked with v, or, where v is nil, called runtime.Goexit.
func Crashed(v any) Reason {
	r := Reason{Kind: Crash, Class: ClassThrow, Value: v}
	switch v.(type) {
	case nil:
		r.Class = ClassExit
	case error:
		r.Class = ClassError
	}
	return r
}
