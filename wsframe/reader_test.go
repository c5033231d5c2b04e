package wsframe

import (
	"strings"
	"testing"
)

// TestReader has a row for each rule. at is the octet that decides the error, 1 the first.
func TestReader(t *testing.T) {
	const key = " 37 fa 21 3d "
	client, server := Reader{Client: true}, Reader{}
	deflate := Reader{Client: true, Deflate: true}
	limit := func(n int64) Reader { return Reader{Client: true, MaxFrameSize: n} }
	tests := []struct {
		name string
		r    Reader
		in   string
		want string
		at   int
	}{
		{"6455-5.1/unmasked_to_server", server, "81 05 48 65 6c 6c 6f", " ! 1002 RFC 6455, 5.1", 2},
		{"6455-5.1/masked_to_client", client, "81 85" + key + "7f 9f 4d 51 58", " ! 1002 RFC 6455, 5.1", 2},
		{"6455-5.1/unmasked_ping_to_server", server, "89 00", " ! 1002 RFC 6455, 5.1", 2},
		{"6455-5.2/rsv1", client, "c1 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/rsv2", client, "a1 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/rsv3", client, "91 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/rsv2_with_deflate", deflate, "e1 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/rsv_after_good_frame", client, "81 01 61 a1 00", `text "a" ! 1002 RFC 6455, 5.2`, 4},
		{"6455-5.2/opcode_3", client, "83 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/opcode_7", client, "87 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/opcode_11", client, "8b 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/opcode_15", client, "8f 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/opcode_before_fragmented_control", client, "0b 00", " ! 1002 RFC 6455, 5.2", 1},
		{"6455-5.2/length_16_for_125", client, "82 7e 00 7d", " ! 1002 RFC 6455, 5.2", 4},
		{"6455-5.2/length_16_for_0", client, "82 7e 00 00", " ! 1002 RFC 6455, 5.2", 4},
		{"6455-5.2/length_64_for_65535", client, "82 7f 00 00 00 00 00 00 ff ff", " ! 1002 RFC 6455, 5.2", 8},
		{"6455-5.2/length_64_for_5", client, "82 7f 00 00 00 00 00 00 00 05", " ! 1002 RFC 6455, 5.2", 8},
		{"6455-5.2/length_top_bit", client, "82 7f 80 00 00 00 00 01 00 00", " ! 1002 RFC 6455, 5.2", 3},
		{"6455-5.2/length_top_bit_before_size", limit(10), "82 7f ff ff ff ff ff ff ff ff", " ! 1002 RFC 6455, 5.2", 3},
		{"6455-5.2/length_form_before_size", limit(10), "82 7e 00 7d", " ! 1002 RFC 6455, 5.2", 4},
		{"6455-5.2/length_0", client, "82 00", `binary ""`, 0},
		{"6455-5.2/length_125", client, "82 7d 61*125", `binary "` + strings.Repeat("a", 125) + `"`, 0},
		{"6455-5.2/length_126", client, "82 7e 00 7e 61*126", `binary "` + strings.Repeat("a", 126) + `"`, 0},
		{"6455-5.2/length_65535", client, "82 7e ff ff 61*65535", `binary "a"*65535`, 0},
		{"6455-5.2/length_65536", client, "82 7f 00 00 00 00 00 01 00 00 61*65536", `binary "a"*65536`, 0},
		{"6455-5.2/length_2_62", client, "82 7f 40 00 00 00 00 00 00 00 61", `binary "a"~`, 0},

		{"6455-5.4/fragments", client, "01 01 61 00 00 80 01 62", `text+ "a"; text+ ""; text "b"`, 0},
		{"6455-5.4/control_between", client, "02 01 61 89 01 70 80 01 62", `binary+ "a"; ping "p"; binary "b"`, 0},
		{"6455-5.4/close_between", client, "02 01 61 88 02 03 e8", `binary+ "a"; close "\x03\xe8"`, 0},
		{"6455-5.4/continuation_without", client, "80 01 61", " ! 1002 RFC 6455, 5.4", 1},
		{"6455-5.4/continuation_not_last_without", client, "00 01 61", " ! 1002 RFC 6455, 5.4", 1},
		{"6455-5.4/continuation_after_the_last", client, "01 01 61 80 01 62 00 00", `text+ "a"; text "b" ! 1002 RFC 6455, 5.4`, 7},
		{"6455-5.4/text_within", client, "01 01 61 81 01 62", `text+ "a" ! 1002 RFC 6455, 5.4`, 4},
		{"6455-5.4/binary_within", client, "01 01 61 02 01 62", `text+ "a" ! 1002 RFC 6455, 5.4`, 4},
		{"6455-5.4/within_after_control", client, "01 01 61 8a 00 81 00", `text+ "a"; pong "" ! 1002 RFC 6455, 5.4`, 6},

		{"6455-5.5/fragmented_ping", client, "09 00", " ! 1002 RFC 6455, 5.5", 1},
		{"6455-5.5/fragmented_close", client, "08 00", " ! 1002 RFC 6455, 5.5", 1},
		{"6455-5.5/ping_125", client, "89 7d 61*125", `ping "` + strings.Repeat("a", 125) + `"`, 0},
		{"6455-5.5/ping_126", client, "89 7e 00 7e", " ! 1002 RFC 6455, 5.5", 2},
		{"6455-5.5/ping_64_bit_length", client, "89 7f 00", " ! 1002 RFC 6455, 5.5", 2},
		{"6455-5.5/length_before_mask", server, "89 7e", " ! 1002 RFC 6455, 5.5", 2},
		{"6455-5.5.1/close_payload_of_one", client, "88 01 03", " ! 1002 RFC 6455, 5.5.1", 2},
		{"6455-5.5.1/close_payload_of_one_before_mask", server, "88 01", " ! 1002 RFC 6455, 5.5.1", 2},
		{"6455-5.5.1/close_empty", server, "88 80" + key, `close ""`, 0},

		{"6455-10.4/size", limit(10), "82 0a 61*10", `binary "aaaaaaaaaa"`, 0},
		{"6455-10.4/size_over", limit(10), "82 0b", " ! 1009 RFC 6455, 10.4", 2},
		{"6455-10.4/size_of_control", limit(10), "89 0b", " ! 1009 RFC 6455, 10.4", 2},
		{"6455-10.4/size_16", limit(0x1ff), "82 7e 02 00", " ! 1009 RFC 6455, 10.4", 3},
		{"6455-10.4/size_16_low_octet", limit(0x1fe), "82 7e 01 ff", " ! 1009 RFC 6455, 10.4", 4},
		{"6455-10.4/size_64", limit(1000000), "82 7f 00 00 01 00 00 00 00 00", " ! 1009 RFC 6455, 10.4", 5},
		{"6455-10.4/size_64_low_octet", limit(0x10000), "82 7f 00 00 00 00 00 01 00 01", " ! 1009 RFC 6455, 10.4", 10},
		{"6455-10.4/size_of_message", limit(10), "02 06 61*6 80 04 61*4", `binary+ "aaaaaa"; binary "aaaa"`, 0},
		{"6455-10.4/size_of_message_over", limit(10), "02 06 61*6 80 05", `binary+ "aaaaaa" ! 1009 RFC 6455, 10.4`, 10},
		{"6455-10.4/size_control_counts_alone", limit(10), "02 06 61*6 89 0a 61*10 80 04 61*4", `binary+ "aaaaaa"; ping "aaaaaaaaaa"; binary "aaaa"`, 0},
		{"6455-10.4/size_begins_anew", limit(3), "02 02 61*2 80 01 61 82 03 61*3", `binary+ "aa"; binary "a"; binary "aaa"`, 0},
		{"6455-10.4/size_sum_over_63_bits", client, "02 01 61 80 7f 7f ff ff ff ff ff ff ff", `binary+ "a" ! 1009 RFC 6455, 10.4`, 13},
		{"6455-10.4/fragments", Reader{Client: true, MaxFragments: 3}, "01 00 00 00 80 00 01 00", `text+ ""; text+ ""; text ""; text+ ""`, 0},
		{"6455-10.4/fragments_over", Reader{Client: true, MaxFragments: 3}, "01 00 00 00 00 00 80 00", `text+ ""; text+ ""; text+ "" ! 1008 RFC 6455, 10.4`, 7},
		{"6455-10.4/fragments_control_between", Reader{Client: true, MaxFragments: 2}, "01 00 89 00 89 00 80 00", `text+ ""; ping ""; ping ""; text ""`, 0},

		{"7692-6/rsv1_text", deflate, "c1 01 00", `text z "\x00"`, 0},
		{"7692-6/rsv1_unset", deflate, "81 01 61", `text "a"`, 0},
		{"7692-6/rsv1_fragments", deflate, "42 01 00 89 00 80 01 00 82 00", `binary+ z "\x00"; ping ""; binary z "\x00"; binary ""`, 0},
		{"7692-6/rsv1_continuation", deflate, "42 01 00 c0 01 00", `binary+ z "\x00" ! 1002 RFC 6455, 5.2`, 4},
		{"7692-6/rsv1_control", deflate, "c9 00", " ! 1002 RFC 6455, 5.2", 1},
		{"7692-6/rsv1_reserved_opcode", deflate, "c3 00", " ! 1002 RFC 6455, 5.2", 1},
		{"7692-6/rsv1_within", deflate, "02 01 00 c1 00", `binary+ "\x00" ! 1002 RFC 6455, 5.4`, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := octets(t, tt.in)
			if tt.at == 0 {
				tt.at = len(in)
			}
			eachCut(len(in), func(cuts ...int) {
				if got, _ := read(t, tt.r, in, cuts...); got != tt.want {
					t.Fatalf("cut at %v: got %s, want %s", cuts, got, tt.want)
				}
			})
			if _, failed := read(t, tt.r, in); !failed {
				return
			}
			if got, _ := read(t, tt.r, in[:tt.at]); got != tt.want {
				t.Errorf("%d octets decide it, but gave %s", tt.at, got)
			}
			if got, failed := read(t, tt.r, in[:tt.at-1]); failed {
				t.Errorf("%d octets do not decide it, but gave %s", tt.at-1, got)
			}
		})
	}
}
