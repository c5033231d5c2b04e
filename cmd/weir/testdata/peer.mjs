// peer.mjs ORIGIN TASK: plays one client of `weir serve` and prints what it saw, as JSON.
import { connect, Socket } from "./h2ws.mjs";

const [origin, task, ...args] = process.argv.slice(2);

// pattern is size octets that differ by place, so that a lost or doubled piece shows; letters alone, for text.
function pattern(size, kind) {
  const b = Buffer.alloc(size);
  for (let i = 0; i < size; i++) b[i] = kind === "text" ? 97 + ((i * 7 + (i >> 8)) % 26) : (i * 31 + (i >> 8)) & 0xff;
  return b;
}

function get(session, path) {
  return new Promise((resolve, reject) => {
    const r = session.request({ ":path": path });
    let status;
    let size = 0;
    r.on("response", (h) => (status = h[":status"]));
    r.on("data", (b) => (size += b.length));
    r.on("end", () => resolve({ status, size }));
    r.on("error", reject);
  });
}

const tasks = {
  // sizes: each message, whole, comes back the same.
  async sizes(session) {
    const w = await Socket.open(session, "/echo?max_frame_size=0");
    const out = [];
    for (const kind of ["text", "binary"]) {
      for (const size of [0, 125, 126, 65535, 65536, 1 << 20]) {
        const sent = pattern(size, kind);
        w.send(kind, sent);
        const f = await w.next();
        out.push({ kind, size, same: f !== undefined && f.kind === kind && f.fin && f.payload.equals(sent) });
      }
    }
    return { echoes: out, close: await w.close(1000) };
  },

  // fragments: one message in pieces, with a ping between them.
  async fragments(session) {
    const w = await Socket.open(session, "/echo");
    w.send("text", "one ", false);
    w.send("continuation", "two ", false);
    w.send("ping", "in between");
    w.send("continuation", "", false);
    w.send("continuation", "three");
    const got = [];
    for (let i = 0; i < 2; i++) {
      const f = await w.next();
      got.push({ kind: f.kind, text: f.payload.toString() });
    }
    return { got, close: await w.close(1000) };
  },

  // trickle: a message an octet a DATA frame.
  async trickle(session) {
    const w = await Socket.open(session, "/echo");
    const { maskedFrame } = await import("./h2ws.mjs");
    for (const octet of maskedFrame("text", "drop by drop")) {
      await new Promise((resolve) => w.stream.write(Buffer.from([octet]), resolve));
    }
    const f = await w.next();
    return { text: f.payload.toString(), close: await w.close(1000) };
  },

  async close(session) {
    const out = [];
    for (const [code, text] of [[1000, ""], [4001, "grüße"], [undefined, ""]]) {
      const w = await Socket.open(session, "/echo");
      out.push(await w.close(code, text));
    }
    return { closes: out };
  },

  // many: 20 WebSockets and 20 GETs at once on this one connection, while one more WebSocket reads nothing.
  async many(session) {
    const stalled = await Socket.open(session, "/push?interval=0&size=4096&type=binary");
    stalled.stream.pause();
    const sockets = Array.from({ length: 20 }, async (_, i) => {
      const w = await Socket.open(session, "/echo");
      let same = 0;
      for (let k = 0; k < 20; k++) {
        const sent = pattern(1 + i * 997 + k * 131, "binary");
        w.send("binary", sent);
        const f = await w.next();
        if (f && f.kind === "binary" && f.payload.equals(sent)) same++;
      }
      return { same, close: await w.close(1000) };
    });
    const gets = Array.from({ length: 20 }, (_, i) => get(session, `/bytes/${i * 10000}`));
    return { sockets: await Promise.all(sockets), gets: await Promise.all(gets) };
  },

  // scripts: each JSON script of args to a WebSocket of its own, at /commands; then what it was closed with.
  async scripts(session) {
    const out = [];
    for (const script of args) {
      const w = await Socket.open(session, "/commands");
      w.send("text", script);
      out.push(await w.closing());
    }
    return { closes: out };
  },

  // broken: one WebSocket breaks RFC 6455, another one of the same connection goes on.
  async broken(session) {
    const good = await Socket.open(session, "/echo");
    const bad = await Socket.open(session, "/echo");
    bad.stream.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    const close = await bad.closing();
    good.send("text", "still here");
    const f = await good.next();
    return { close, text: f.payload.toString(), good: await good.close(1000) };
  },

  // refused: what a handshake that is wrong gets; the connection lives.
  async refused(session) {
    const status = async (path, headers) => {
      try {
        await Socket.open(session, path, headers);
        return "opened";
      } catch (e) {
        return e.status ?? e.code;
      }
    };
    return {
      version: await status("/echo", { "sec-websocket-version": "9" }),
      protocol: await status("/echo", { ":protocol": "connect-udp" }),
      query: await status("/echo?window=lots"),
      plain: await status("/healthz"),
      lives: (await get(session, "/healthz")).status,
    };
  },

  // headers: what the server saw of the request.
  async headers(session) {
    const w = await Socket.open(session, "/headers?a=b", { "sec-websocket-protocol": "two, one", "x-test": "yes" });
    const f = await w.next();
    return { report: JSON.parse(f.payload), chosen: w.headers["sec-websocket-protocol"], close: await w.closing() };
  },

  // wait: says that it is open, and waits for the server's close.
  async wait(session) {
    const w = await Socket.open(session, "/echo");
    return { close: await w.closing() };
  },
};

const session = await connect(origin);
const result = await tasks[task](session);
console.log(JSON.stringify(result));
session.destroy();
