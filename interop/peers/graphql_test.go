package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	weir "weir/websocket"
)

// graphqlTalk is gqlgen's handler, as its users mount it. The subscription says its text three
// times; one who comes with a bad token is sent away. ends is told the code that the handler ends
// each WebSocket with: 1000 after the client has closed, whatever the client's code.
func graphqlTalk(ends chan<- int) http.Handler {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		type Query { name: String! }
		type Subscription { say(text: String!): String! }
	`})
	s := handler.New(&graphql.ExecutableSchemaMock{
		SchemaFunc:     func() *ast.Schema { return schema },
		ComplexityFunc: func(context.Context, string, string, int, map[string]any) (int, bool) { return 0, true },
		ExecFunc: func(ctx context.Context) graphql.ResponseHandler {
			text, left := graphql.GetOperationContext(ctx).Variables["text"], 3
			return func(context.Context) *graphql.Response {
				if left--; left < 0 {
					return nil
				}
				data, err := json.Marshal(map[string]any{"say": text})
				if err != nil {
					return graphql.ErrorResponse(ctx, "%v", err)
				}
				return &graphql.Response{Data: data}
			}
		},
	})
	s.AddTransport(transport.Websocket{
		InitFunc: func(ctx context.Context, p transport.InitPayload) (context.Context, *transport.InitPayload, error) {
			if p.GetString("token") == "bad" {
				return transport.WithWebsocketCloseCode(ctx, 4403), nil, errors.New("bad token")
			}
			return ctx, nil, nil
		},
		CloseFunc: func(_ context.Context, code int) { ends <- code },
	})
	return s
}

// graphqlMessage is one of the subprotocol graphql-transport-ws.
type graphqlMessage struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func graphqlSubscribe(text string) graphqlMessage {
	p, err := json.Marshal(map[string]any{
		"query": "subscription($text: String!) { say(text: $text) }", "variables": map[string]any{"text": text},
	})
	if err != nil {
		panic(err)
	}
	return graphqlMessage{Type: "subscribe", ID: "1", Payload: p}
}

// TestGraphQL: gqlgen's handler does over HTTP/2 what it does over HTTP/1.1.
func TestGraphQL(t *testing.T) {
	ends := make(chan int, 10)
	mux := http.NewServeMux()
	mux.Handle("GET /graphql", graphqlTalk(ends))
	s := newWebSite(t, mux, "")
	for mode, version := range map[string]weir.HTTPVersion{"h1": weir.HTTP1, "h2": weir.HTTP2} {
		t.Run(mode, func(t *testing.T) {
			ctx := bounded(t)
			d := &weir.Dialer{HTTP: version, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}
			defer d.CloseIdle()
			talk := func(text string, said ...graphqlMessage) (got []string, err error) {
				t.Helper()
				c, _, err := d.Dial(ctx, s.URL+"/graphql", &weir.DialOptions{Options: weir.Options{
					Subprotocols: []string{"graphql-transport-ws"}, MaxFrameSize: 2 << 20,
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				for _, m := range said {
					if err := c.WriteJSON(ctx, m); err != nil {
						t.Fatal(err)
					}
				}
				for {
					var m graphqlMessage
					if err := c.ReadJSON(ctx, &m); err != nil {
						return got, err
					}
					if m.Type == "next" {
						var p struct{ Data struct{ Say string } }
						if err := json.Unmarshal(m.Payload, &p); err != nil || p.Data.Say != text {
							t.Errorf("%d octets were said, %v; want %d", len(p.Data.Say), err, len(text))
						}
					}
					if got = append(got, m.Type); m.Type == "complete" {
						return got, c.Close(4000, "bye")
					}
				}
			}
			begin := graphqlMessage{Type: "connection_init"}
			for _, text := range []string{"héllo", strings.Repeat("x", 900_000)} {
				got, err := talk(text, begin, graphqlMessage{Type: "ping"}, graphqlSubscribe(text))
				if want := "[connection_ack pong next next next complete]"; fmt.Sprint(got) != want {
					t.Errorf("%v, %v; want %s", got, err, want)
				}
				if code := <-ends; code != 1000 {
					t.Errorf("the handler ended with %d", code)
				}
			}
			begin.Payload = json.RawMessage(`{"token":"bad"}`)
			_, err := talk("", begin)
			if code, ok := weir.CloseStatus(err); !ok || code != 4403 {
				t.Errorf("a bad token is %v", err)
			}
			if code := <-ends; code != 4403 {
				t.Errorf("the handler ended with %d", code)
			}
		})
	}
	if log := s.logged(); log != "" {
		t.Errorf("the server's log says %s", log)
	}
}

// TestGraphQLBrowsers: the same in browsers, by extended CONNECT.
func TestGraphQLBrowsers(t *testing.T) {
	for name, open := range browsers {
		t.Run(name, func(t *testing.T) { graphqlBrowser(t, open) })
	}
}

func graphqlBrowser(t *testing.T, open browser) {
	ends := make(chan int, 10)
	mux := http.NewServeMux()
	mux.Handle("GET /graphql", graphqlTalk(ends))
	s := newWebSite(t, mux, `
const talk = (name, payload, text) => new Promise((ended) => {
	const s = ws("/graphql", "graphql-transport-ws");
	const said = [];
	const send = (m) => s.send(JSON.stringify(m));
	s.onopen = () => send({ type: "connection_init", payload });
	s.onmessage = (e) => {
		const m = JSON.parse(e.data);
		said.push(m.type === "next" ? m.payload.data.say === text : m.type);
		if (m.type === "connection_ack") send({ type: "ping" });
		if (m.type === "pong") {
			const query = "subscription($text: String!) { say(text: $text) }";
			send({ type: "subscribe", id: "1", payload: { query, variables: { text } } });
		}
		if (m.type === "complete") s.close(4000, "bye");
	};
	s.onclose = (e) => {
		say(name, [...said, e.code, e.wasClean].join(" "));
		ended();
	};
});
await talk("small", {}, "h\u00e9llo");
await talk("large", {}, "x".repeat(900000));
await talk("bad", { token: "bad" }, "");
done();
`)
	found := open(s, t)
	for name, want := range map[string]string{
		"small": "connection_ack pong true true true complete 4000 true",
		"large": "connection_ack pong true true true complete 4000 true",
		"bad":   "4403 true",
	} {
		if found[name] != want {
			t.Errorf("%s: %q, want %q", name, found[name], want)
		}
	}
	if n := s.connects(); n != 3 || found["script"] != "" {
		t.Errorf("%d WebSockets were opened by CONNECT, want 3; %v", n, found)
	}
	for range 3 {
		<-ends // they have ended there, too
	}
}
