package deflate

import (
	"errors"
	"strings"
	"testing"
)

// params reads "a; b=1; c=" as upgrade does.
func params(s string) []Param {
	var ps []Param
	for e := range strings.SplitSeq(s, ";") {
		if e = strings.TrimSpace(e); e != "" {
			name, value, has := strings.Cut(e, "=")
			ps = append(ps, Param{name, strings.Trim(value, `"`), has})
		}
	}
	return ps
}

// short spells the names out: snt, cnt, smwb, cmwb.
var short = strings.NewReplacer("snt", serverNoTakeover, "cnt", clientNoTakeover, "smwb", serverBits, "cmwb", clientBits)

// TestNegotiate is RFC 7692, 7.1 from the server's side. A case without response is an offer to skip.
func TestNegotiate(t *testing.T) {
	none := Options{}
	snt, cnt := Options{ServerNoContextTakeover: true}, Options{ClientNoContextTakeover: true}
	both := Options{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	s10, c10 := Options{ServerMaxWindowBits: 10}, Options{ClientMaxWindowBits: 10}
	s8, c8 := Options{ServerMaxWindowBits: 8}, Options{ClientMaxWindowBits: 8}
	all := Options{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 12, ClientMaxWindowBits: 11}
	const skip = "skip"
	for _, c := range []struct {
		section  string
		o        Options
		offer    string
		response string // after the name
		want     Params
	}{
		{"7.1", none, "", "", Params{false, false, 15, 15}},
		{"7.1", both, "", "; cnt; snt", Params{true, true, 15, 15}},
		{"7.1", none, "foo", skip, Params{}},
		{"7.1", none, "foo=1", skip, Params{}},
		{"7.1", none, "snt; foo", skip, Params{}},
		{"7.1", none, "foo; snt", skip, Params{}},
		{"7.1", none, "SNT", skip, Params{}},
		{"7.1", none, "Server_No_Context_Takeover", skip, Params{}},
		{"7.1", none, "snt2", skip, Params{}},
		{"7.1", none, "server_no_context", skip, Params{}},
		{"7.1", none, "mem_level=8", skip, Params{}},

		{"7.1.1.1", none, "snt", "; snt", Params{true, false, 15, 15}},
		{"7.1.1.1", snt, "", "; snt", Params{true, false, 15, 15}},
		{"7.1.1.1", snt, "snt", "; snt", Params{true, false, 15, 15}},
		{"7.1.1.1", cnt, "snt", "; snt; cnt", Params{true, true, 15, 15}},
		{"7.1.1.1", none, "snt; snt", skip, Params{}},
		{"7.1.1.1", snt, "snt; snt", skip, Params{}},
		{"7.1.1.1", none, "snt=", skip, Params{}},
		{"7.1.1.1", none, "snt=1", skip, Params{}},
		{"7.1.1.1", none, "snt=true", skip, Params{}},
		{"7.1.1.1", none, `snt=""`, skip, Params{}},
		{"7.1.1.1", none, "snt; snt=1", skip, Params{}},

		{"7.1.1.2", none, "cnt", "; cnt", Params{false, true, 15, 15}},
		{"7.1.1.2", cnt, "", "; cnt", Params{false, true, 15, 15}},
		{"7.1.1.2", cnt, "cnt", "; cnt", Params{false, true, 15, 15}},
		{"7.1.1.2", snt, "cnt", "; cnt; snt", Params{true, true, 15, 15}},
		{"7.1.1.2", both, "cnt; snt", "; snt; cnt", Params{true, true, 15, 15}},
		{"7.1.1.2", none, "cnt; snt", "; snt; cnt", Params{true, true, 15, 15}},
		{"7.1.1.2", none, "snt; cnt", "; snt; cnt", Params{true, true, 15, 15}},
		{"7.1.1.2", none, "cnt; cnt", skip, Params{}},
		{"7.1.1.2", none, "cnt; snt; cnt", skip, Params{}},
		{"7.1.1.2", none, "cnt=", skip, Params{}},
		{"7.1.1.2", none, "cnt=0", skip, Params{}},
		{"7.1.1.2", none, "cnt=15", skip, Params{}},

		{"7.1.2.1", none, "smwb=8", "; smwb=8", Params{false, false, 8, 15}},
		{"7.1.2.1", none, "smwb=9", "; smwb=9", Params{false, false, 9, 15}},
		{"7.1.2.1", none, "smwb=10", "; smwb=10", Params{false, false, 10, 15}},
		{"7.1.2.1", none, "smwb=11", "; smwb=11", Params{false, false, 11, 15}},
		{"7.1.2.1", none, "smwb=12", "; smwb=12", Params{false, false, 12, 15}},
		{"7.1.2.1", none, "smwb=13", "; smwb=13", Params{false, false, 13, 15}},
		{"7.1.2.1", none, "smwb=14", "; smwb=14", Params{false, false, 14, 15}},
		{"7.1.2.1", none, "smwb=15", "; smwb=15", Params{false, false, 15, 15}},
		{"7.1.2.1", none, `smwb="12"`, "; smwb=12", Params{false, false, 12, 15}},
		{"7.1.2.1", s10, "", "; smwb=10", Params{false, false, 10, 15}},
		{"7.1.2.1", s10, "smwb=15", "; smwb=10", Params{false, false, 10, 15}},
		{"7.1.2.1", s10, "smwb=11", "; smwb=10", Params{false, false, 10, 15}},
		{"7.1.2.1", s10, "smwb=10", "; smwb=10", Params{false, false, 10, 15}},
		{"7.1.2.1", s10, "smwb=8", "; smwb=8", Params{false, false, 8, 15}},
		{"7.1.2.1", s8, "smwb=8", "; smwb=8", Params{false, false, 8, 15}},
		{"7.1.2.1", s8, "smwb=9", "; smwb=8", Params{false, false, 8, 15}},
		{"7.1.2.1", s8, "cmwb", "; smwb=8; cmwb=15", Params{false, false, 8, 15}},
		{"7.1.2.1", none, "smwb", skip, Params{}},
		{"7.1.2.1", none, "smwb=", skip, Params{}},
		{"7.1.2.1", none, `smwb=""`, skip, Params{}},
		{"7.1.2.1", none, "smwb=0", skip, Params{}},
		{"7.1.2.1", none, "smwb=7", skip, Params{}},
		{"7.1.2.1", none, "smwb=16", skip, Params{}},
		{"7.1.2.1", none, "smwb=19", skip, Params{}},
		{"7.1.2.1", none, "smwb=1", skip, Params{}},
		{"7.1.2.1", none, "smwb=08", skip, Params{}},
		{"7.1.2.1", none, "smwb=015", skip, Params{}},
		{"7.1.2.1", none, "smwb=+10", skip, Params{}},
		{"7.1.2.1", none, "smwb=-8", skip, Params{}},
		{"7.1.2.1", none, "smwb=10.0", skip, Params{}},
		{"7.1.2.1", none, "smwb=0xa", skip, Params{}},
		{"7.1.2.1", none, "smwb=1O", skip, Params{}},
		{"7.1.2.1", none, "smwb=100", skip, Params{}},
		{"7.1.2.1", none, "smwb=266", skip, Params{}},
		{"7.1.2.1", none, "smwb=4294967306", skip, Params{}},
		{"7.1.2.1", none, "smwb=ten", skip, Params{}},
		{"7.1.2.1", none, "smwb=10; smwb=10", skip, Params{}},
		{"7.1.2.1", none, "smwb=10; smwb=11", skip, Params{}},
		{"7.1.2.1", none, "smwb=10; smwb", skip, Params{}},

		{"7.1.2.2", none, "cmwb", "; cmwb=15", Params{false, false, 15, 15}},
		{"7.1.2.2", none, "cmwb=8", "; cmwb=8", Params{false, false, 15, 8}},
		{"7.1.2.2", none, "cmwb=9", "; cmwb=9", Params{false, false, 15, 9}},
		{"7.1.2.2", none, "cmwb=14", "; cmwb=14", Params{false, false, 15, 14}},
		{"7.1.2.2", none, "cmwb=15", "; cmwb=15", Params{false, false, 15, 15}},
		{"7.1.2.2", c10, "cmwb", "; cmwb=10", Params{false, false, 15, 10}},
		{"7.1.2.2", c10, "cmwb=15", "; cmwb=10", Params{false, false, 15, 10}},
		{"7.1.2.2", c10, "cmwb=10", "; cmwb=10", Params{false, false, 15, 10}},
		{"7.1.2.2", c10, "cmwb=9", "; cmwb=9", Params{false, false, 15, 9}},
		{"7.1.2.2", c8, "cmwb", "; cmwb=8", Params{false, false, 15, 8}},
		{"7.1.2.2", c8, "cmwb=8", "; cmwb=8", Params{false, false, 15, 8}},
		{"7.1.2.2", c10, "", skip, Params{}},
		{"7.1.2.2", c10, "cnt", skip, Params{}},
		{"7.1.2.2", c10, "smwb=10", skip, Params{}},
		{"7.1.2.2", none, "cmwb=", skip, Params{}},
		{"7.1.2.2", none, `cmwb=""`, skip, Params{}},
		{"7.1.2.2", none, "cmwb=7", skip, Params{}},
		{"7.1.2.2", none, "cmwb=16", skip, Params{}},
		{"7.1.2.2", none, "cmwb=09", skip, Params{}},
		{"7.1.2.2", none, "cmwb=1e1", skip, Params{}},
		{"7.1.2.2", none, "cmwb; cmwb", skip, Params{}},
		{"7.1.2.2", none, "cmwb; cmwb=10", skip, Params{}},
		{"7.1.2.2", none, "cmwb=10; cmwb", skip, Params{}},
		{"7.1.2.2", none, "cmwb=10; cmwb=10", skip, Params{}},

		{"7.1/order", none, "cmwb; smwb=10; cnt; snt", "; snt; cnt; cmwb=15; smwb=10", Params{true, true, 10, 15}},
		{"7.1/order", none, "cmwb=12; smwb=10; cnt; snt", "; snt; cnt; smwb=10; cmwb=12", Params{true, true, 10, 12}},
		{"7.1/order", none, "snt; smwb=10; cmwb=12; cnt", "; snt; cnt; smwb=10; cmwb=12", Params{true, true, 10, 12}},
		{"7.1/order", all, "cmwb", "; smwb=12; cmwb=11; cnt; snt", Params{true, true, 12, 11}},
		{"7.1/order", all, "cmwb=8", "; smwb=12; cmwb=8; cnt; snt", Params{true, true, 12, 8}},
		{"7.1/order", all, "cmwb; smwb=12", "; cmwb=11; smwb=12; cnt; snt", Params{true, true, 12, 11}},
		{"7.1/order", all, "cmwb; smwb=15", "; smwb=12; cmwb=11; cnt; snt", Params{true, true, 12, 11}},
		{"7.1/order", all, "cmwb=9; smwb=9; snt", "; snt; smwb=9; cmwb=9; cnt", Params{true, true, 9, 9}},
		{"7.1/order", all, "cmwb=9; smwb=9; cnt", "; cnt; smwb=9; cmwb=9; snt", Params{true, true, 9, 9}},
		{"7.1/order", all, "cmwb=15; smwb=13; cnt; snt", "; smwb=12; snt; cnt; cmwb=11", Params{true, true, 12, 11}},
		{"7.1/order", all, "cnt; snt; smwb=8", skip, Params{}},
	} {
		t.Run(c.section+"/"+c.offer, func(t *testing.T) {
			p, response, ok := Negotiate(&c.o, params(short.Replace(c.offer)))
			if c.response == skip {
				if ok || response != "" || p != (Params{}) {
					t.Errorf("answered with %q, want it skipped", response)
				}
				return
			}
			if want := Name + short.Replace(c.response); !ok || response != want || p != c.want {
				t.Errorf("%v %q %+v, want %q %+v", ok, response, p, want, c.want)
			}
		})
	}
}

// TestAccept is RFC 7692, 7.1 from the client's side. A case with a rule fails the handshake.
func TestAccept(t *testing.T) {
	none := Options{}
	all := Options{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 12, ClientMaxWindowBits: 11}
	for _, c := range []struct {
		o      Options
		answer string
		rule   string
		want   Params
	}{
		{none, "", "", Params{false, false, 15, 15}},
		{none, "snt", "", Params{true, false, 15, 15}},
		{none, "cnt", "", Params{false, true, 15, 15}},
		{none, "smwb=8; cmwb=9", "", Params{false, false, 8, 9}},
		{none, "snt; cnt; smwb=15; cmwb=15", "", Params{true, true, 15, 15}},
		{none, "cmwb", "7.1.2.2", Params{}},
		{none, "cmwb=7", "7.1.2.2", Params{}},
		{none, "smwb", "7.1.2.1", Params{}},
		{none, "smwb=16", "7.1.2.1", Params{}},
		{none, "snt=1", "7.1.1.1", Params{}},
		{none, "cnt=1", "7.1.1.2", Params{}},
		{none, "snt; snt", "7.1", Params{}},
		{none, "cmwb=9; cmwb=9", "7.1", Params{}},
		{none, "foo", "7.1", Params{}},
		{all, "snt; smwb=12", "", Params{true, true, 12, 11}},
		{all, "snt; cnt; smwb=9; cmwb=8", "", Params{true, true, 9, 8}},
		{all, "snt; smwb=12; cmwb=15", "", Params{true, true, 12, 11}},
		{all, "smwb=12", "7.1.1.1", Params{}},
		{all, "snt", "7.1.2.1", Params{}},
		{all, "snt; smwb=13", "7.1.2.1", Params{}},
	} {
		p, err := Accept(&c.o, params(short.Replace(c.answer)))
		var e *Error
		if c.rule == "" && err != nil || c.rule != "" && (!errors.As(err, &e) || e.Rule != "RFC 7692, "+c.rule) || p != c.want {
			t.Errorf("%q gives %+v, %v; want %+v, %q", c.answer, p, err, c.want, c.rule)
		}
	}
}

// TestOffer lets every client meet every server: they agree, and on the same.
func TestOffer(t *testing.T) {
	if got := Offer(&Options{}); got != "permessage-deflate; client_max_window_bits" {
		t.Errorf("the default offer is %q", got)
	}
	var options []Options
	for i := range 4 {
		for _, s := range []int{0, 8, 12, 15} {
			for _, c := range []int{0, 8, 12, 15} {
				options = append(options, Options{ServerNoContextTakeover: i&1 != 0, ClientNoContextTakeover: i&2 != 0,
					ServerMaxWindowBits: s, ClientMaxWindowBits: c})
			}
		}
	}
	for _, client := range options {
		for _, server := range options {
			offer := Offer(&client)
			p, response, ok := Negotiate(&server, params(strings.TrimPrefix(offer, Name)))
			q, err := Accept(&client, params(strings.TrimPrefix(response, Name)))
			if !ok || err != nil || p != q {
				t.Fatalf("%q, %q: %+v, %+v, %v", offer, response, p, q, err)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		o  Options
		ok bool
	}{
		{Options{}, true}, {Options{Level: 9, ServerMaxWindowBits: 8, ClientMaxWindowBits: 15}, true}, {Options{Level: -1}, true},
		{Options{Level: 10}, false}, {Options{ServerMaxWindowBits: 7}, false}, {Options{ServerMaxWindowBits: 16}, false},
		{Options{ClientMaxWindowBits: 7}, false}, {Options{ClientMaxWindowBits: -8}, false},
	} {
		if err := c.o.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
