package h2

import (
	"fmt"
	"testing"
)

// TestStates brings a stream into every state of RFC 9113, 5.1 and sends it every frame. Wanted is the first frame the
// server answers with, "" for none.
func TestStates(t *testing.T) {
	post := "HEADERS 3 :method=POST :scheme=http :path=/ :authority=a"
	get := "HEADERS 3 END_STREAM :method=GET :scheme=http :path=/ :authority=a"
	newer := "HEADERS 5 END_STREAM :method=GET :scheme=http :path=/ :authority=a"
	frames := []string{"DATA 3 \"x\"", "HEADERS 3 END_STREAM a=b", "RST_STREAM 3 CANCEL", "WINDOW_UPDATE 3 1", "PRIORITY 3 1"}
	const closed, reset = "GOAWAY 3 STREAM_CLOSED", "RST_STREAM 3 STREAM_CLOSED"
	for _, tt := range []struct {
		name string
		do   []string // frames of the client; "A ..." what the user does
		want [5]string
	}{
		{"idle", nil, [5]string{"GOAWAY 0 PROTOCOL_ERROR", "HEADERS 3 END_STREAM :status=400", "GOAWAY 0 PROTOCOL_ERROR", "GOAWAY 0 PROTOCOL_ERROR", ""}},
		{"open", []string{post}, [5]string{}},
		{"half-closed (local)", []string{post, "A answer 3 200 fin"}, [5]string{}},
		{"half-closed (remote)", []string{get}, [5]string{reset, reset, "", "", ""}},
		{"closed by both", []string{get, "A answer 3 200 fin"}, [5]string{closed, closed, "", "", ""}},
		{"closed by the peer's reset", []string{post, "RST_STREAM 3 CANCEL"}, [5]string{reset, reset, "", "", ""}},
		{"closed by our reset", []string{post, "A reset 3 8"}, [5]string{}},
		{"skipped", []string{newer}, [5]string{"GOAWAY 5 PROTOCOL_ERROR", "GOAWAY 5 PROTOCOL_ERROR", "", "", ""}},
		{"beyond our GOAWAY", []string{"A goaway", "PING ACK 0077656972627965"}, [5]string{}},
	} {
		for i, f := range frames {
			t.Run(fmt.Sprintf("9113-5.1/%s/%.9s", tt.name, f), func(t *testing.T) {
				p := newPlayer(testConfig(), 0)
				p.greet()
				for _, d := range tt.do {
					if d[0] == 'A' {
						if err := p.do(d[2:]); err != nil {
							t.Fatal(err)
						}
					} else {
						p.send(d)
					}
				}
				p.frames = nil
				p.send(f)
				switch want := tt.want[i]; {
				case want == "" && len(p.frames) > 0:
					t.Errorf("got %v, want nothing", p.frames[0])
				case want != "" && (len(p.frames) == 0 || !p.frames[0].Matches(want)):
					t.Errorf("got %v, want %q", p.frames, want)
				}
			})
		}
	}
}

// TestGoneForgotten: of a stream that is out of memory nothing is known, so that DATA costs the stream only (RFC 9113, 5.1).
func TestGoneForgotten(t *testing.T) {
	p := newPlayer(testConfig(), 0)
	p.greet()
	for id := 1; id < 400; id += 2 {
		p.send(fmt.Sprintf("HEADERS %d END_STREAM :method=GET :scheme=http :path=/ :authority=a", id))
		if err := p.do(fmt.Sprintf("answer %d 200 fin", id)); err != nil {
			t.Fatal(err)
		}
	}
	p.frames = nil
	p.send(`DATA 1 "late"`)
	if len(p.frames) != 1 || !p.frames[0].Matches("RST_STREAM 1 STREAM_CLOSED") {
		t.Fatalf("got %v", p.frames)
	}
	p.send(`DATA 399 "late"`)
	if len(p.frames) != 2 || !p.frames[1].Matches("GOAWAY 399 STREAM_CLOSED") {
		t.Fatalf("got %v", p.frames)
	}
}
