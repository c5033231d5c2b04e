package websockettest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/websocket"
	"weir/websocket/websockettest"
)

// Handlers of programs that know nothing of the kit, and what their tests look like.

// room is a chat: its members are the sessions of a Group.
type room struct{ members websocket.Group }

func (r *room) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name := req.URL.Query().Get("name")
	websocket.Handle(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
		if name == "" {
			http.Error(w, "who are you?", http.StatusBadRequest)
			return nil, nil
		}
		return &member{room: r, name: name}, &websocket.Options{Group: &r.members}
	}).ServeHTTP(w, req)
}

// say tells everybody but one.
func (r *room) say(but *websocket.Session, text string) {
	p := websocket.Prepare(websocket.TextFrame, text)
	for s := range r.members.Sessions() {
		if s != but {
			_ = s.Send(websocket.SendPrepared(p)) // who has gone does not hear it
		}
	}
}

type member struct {
	room *room
	name string
	s    *websocket.Session
}

func (m *member) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	m.s = s
	m.room.say(s, m.name+" came")
	return out
}

func (m *member) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		m.room.say(m.s, m.name+": "+string(f.Payload))
	}
	return out
}

func (m *member) Drain(out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text("the room closes"), websocket.Close(websocket.CloseGoingAway, "good night"))
}

func (m *member) Terminate(r websocket.Reason, _ *websocket.PartialRequest) {
	m.room.say(m.s, fmt.Sprintf("%s left: %s", m.name, r))
}

func TestRoom(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		r := new(room)
		host := websockettest.Serve(t, tr, r)
		host.WantRefused(websockettest.Request{}, 400)
		join := func(name string) *websockettest.Peer {
			return host.Open(websockettest.Request{Path: "/?name=" + name})
		}
		ann := join("ann")
		bob := join("bob")
		ann.WantText("bob came")
		cid := join("cid")
		ann.WantText("cid came")
		bob.WantText("cid came")

		bob.SendText("hello")
		for _, p := range []*websockettest.Peer{ann, cid} {
			p.WantText("bob: hello")
		}
		bob.WantSilence(time.Second)

		bob.Reset()
		bob.WantReason("error:closed")
		ann.WantText("bob left: error:closed")
		cid.WantText("bob left: error:closed")

		cid.Pause() // nobody waits for who does not read
		for i := range 100 {
			ann.SendText(fmt.Sprint(i))
		}
		ann.WantSilence(time.Second)
		cid.Resume()
		for i := range 100 {
			cid.WantText(fmt.Sprint("ann: ", i))
		}
		cid.Close(4000, "")
		ann.WantText("cid left: remote")

		done := make(chan error, 1)
		go func() { // ends with the room
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			done <- r.members.Shutdown(ctx)
		}()
		ann.WantText("the room closes")
		ann.WantClose(1001, "good night")
		if r := ann.WantReason("stop"); !r.Drain {
			t.Errorf("no drain: %+v", r)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// auction posts from goroutines: one counts down, others bid.
type auction struct {
	mu     sync.Mutex
	price  int
	ctx    context.Context
	s      *websocket.Session
	robots int
}

type bid struct {
	who   string
	price int
}

func (a *auction) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	a.s, a.ctx = s, s.Context()
	go a.countDown()
	for i := range a.robots {
		go a.robot(fmt.Sprint("robot ", i+1), time.Duration(i+1)*10*time.Second, 100*(i+1))
	}
	return append(out, websocket.Text("what am I bid?"))
}

func (a *auction) countDown() {
	for _, word := range []string{"going once", "going twice", "sold"} {
		select {
		case <-time.After(time.Minute):
			if a.s.Post(word) != nil {
				return
			}
		case <-a.ctx.Done():
			return
		}
	}
}

func (a *auction) robot(who string, every time.Duration, most int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-a.ctx.Done():
			return
		}
		a.mu.Lock()
		next := a.price + 50
		a.mu.Unlock()
		if next > most || a.s.Post(bid{who, next}) != nil {
			return
		}
	}
}

func (a *auction) bid(b bid, out websocket.Commands) websocket.Commands {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.price <= a.price {
		return out
	}
	a.price = b.price
	return append(out, websocket.Text(fmt.Sprintf("%s: %d", b.who, b.price)))
}

func (a *auction) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	var price int
	if _, err := fmt.Sscan(string(f.Payload), &price); err != nil {
		return append(out, websocket.Close(websocket.CloseUnsupportedData, "numbers, please"))
	}
	return a.bid(bid{"you", price}, out)
}

func (a *auction) Info(msg any, out websocket.Commands) websocket.Commands {
	switch m := msg.(type) {
	case bid:
		return a.bid(m, out)
	case string:
		out = append(out, websocket.Text(m))
		if m == "sold" {
			out = append(out, websocket.ShutdownReason(a.price), websocket.Stop())
		}
	}
	return out
}

func TestAuction(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, &auction{robots: 2}, &websocket.Options{IdleTimeout: -1})
		p.Want(websockettest.Text("what am I bid?"))
		p.WantSilence(10*time.Second - 1)
		p.WantText("robot 1: 50")
		p.WantSilence(5 * time.Second)
		p.SendText("60")
		p.WantText("you: 60")
		p.WantText("robot 2: 110") // robot 1 has given up: 110 is over its most
		p.WantText("robot 2: 160")
		p.WantText("going once") // a minute has passed
		p.SendText("1000")
		p.WantText("you: 1000")
		p.WantText("going twice")
		p.WantText("sold")
		p.WantClose(1000, "")
		if r := p.WantReason("stop"); r.Shutdown != 1000 {
			t.Errorf("sold for %v", r.Shutdown)
		}

		p = websockettest.Open(t, tr, &auction{robots: 1}, nil)
		p.WantText("what am I bid?")
		p.SendText("much")
		p.WantClose(1003, "numbers, please")
	})
}

// importer takes rows, one batch at a time: while a batch is stored it reads nothing.
type importer struct {
	s     *websocket.Session
	batch []string
	store func([]string) error // takes its time
}

const batchSize = 10

type stored struct {
	n   int
	err error
}

func (i *importer) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	i.s = s
	return out
}

func (i *importer) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if !f.IsData() {
		return out
	}
	if i.batch = append(i.batch, string(f.Payload)); len(i.batch) < batchSize {
		return out
	}
	batch := i.batch
	i.batch = nil
	go func() { // ends with the store
		err := i.store(batch)
		_ = i.s.Post(stored{len(batch), err})
	}()
	return append(out, websocket.Active(false))
}

func (i *importer) Info(msg any, out websocket.Commands) websocket.Commands {
	s := msg.(stored)
	if s.err != nil {
		return append(out, websocket.Close(websocket.CloseInternalError, s.err.Error()))
	}
	return append(out, websocket.Text(fmt.Sprint("stored ", s.n)), websocket.Active(true))
}

func TestImporter(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		row := strings.Repeat("x", 10_000)
		var all int
		store := func(rows []string) error {
			time.Sleep(20 * time.Second)
			if all += len(rows); all > 60 {
				return fmt.Errorf("the disk is full")
			}
			return nil
		}
		p := websockettest.Open(t, tr, &importer{store: store}, nil)
		for range 100 {
			p.SendText(row)
		}
		p.WantSilence(20*time.Second - 1)
		p.WantCommands(websocket.Active(false))
		waiting := p.Unsent()
		if waiting == 0 {
			t.Error("a megabyte was taken, though a batch is being stored")
		}
		for range 6 {
			p.WantText("stored 10")
		}
		if n := p.Unsent(); n >= waiting {
			t.Errorf("%d octets wait, and %d did before six batches", n, waiting)
		}
		p.WantClose(1011, "the disk is full")
		p.WantReason("stop")
	})
}
