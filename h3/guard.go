package h3

// guard calls f, which is a user's code. If f does not return, crashed is called: with the panic's
// value, or with nil where f called runtime.Goexit. Then this goroutine ends, and behind crashed
// only deferred functions run.
func guard(f func(), crashed func(v any)) {
	returned := false
	defer func() {
		if !returned {
			crashed(recover())
		}
	}()
	f()
	returned = true
}
