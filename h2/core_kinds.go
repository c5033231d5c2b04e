package h2

import "strings"

// noteKind keeps the kind of an error for whoever counts them, in the form of net/http: what ended,
// the code, and what was wrong, which is the rule here.
func (c *core) noteKind(what string, code Code, rule string) {
	if c.cfg.kinds {
		c.kinds = append(c.kinds, what+"_"+code.String()+"_"+ruleKind(rule))
	}
}

// ruleKind is a rule in lower-case letters, digits and underscores: "RFC 9113, 8.2.1" is
// "rfc9113_8_2_1".
func ruleKind(rule string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ':
			return -1
		}
		return '_'
	}, rule)
}
