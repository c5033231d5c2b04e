package stream

import "context"

// tokenKey is where Token looks in a context.
type tokenKey struct{}

// WithToken is for transports: it puts the :protocol of an extended CONNECT (RFC 8441, 4) into
// the context of its request.
func WithToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// Token is the upgrade token that WithToken put into ctx, as the client spelt it; "" if there is
// none. A field of the request's header says less: a client may send any.
func Token(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}
