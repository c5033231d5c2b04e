//go:build !amd64

package wsframe

const vectors = false

func badText([]byte) bool { panic("wsframe: BUG: no vectors") }
