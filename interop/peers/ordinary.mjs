// ordinary.mjs URL: what Node's HTTP/2 client does with the handlers of ordinary_handlers_test.go.
// For each thing it prints one line, a JSON array of its name and of what was seen. A line "step"
// asks the test to let the handler go on.
import http2 from "node:http2";
import { createHash } from "node:crypto";

const origin = process.argv[2];
const options = { rejectUnauthorized: false };
const pattern = (n) => Buffer.from(Uint8Array.from({ length: n }, (_, i) => 97 + (((i * 7 + i) >> 8) % 26)));
const say = (name, seen) => process.stdout.write(JSON.stringify([name, seen]) + "\n");
const left = (headers) => Object.entries(headers).filter(([k]) => k !== "date").map(([k, v]) => `${k}=${v}`).sort().join(" ");
const sum = (b) => (b.length < 200 ? b.toString() : `${b.length} octets ${createHash("sha256").update(b).digest("hex").slice(0, 8)}`);

// see is everything that a request brings.
function see(session, headers, body, opts = {}) {
  return new Promise((done) => {
    const seen = [];
    const chunks = [];
    const s = session.request(headers, { endStream: body === undefined, ...opts });
    s.setTimeout(20000, () => s.destroy(new Error("nothing for 20 s")));
    s.on("headers", (h) => seen.push("informational " + left(h)));
    s.on("continue", () => seen.push("continue"));
    s.on("response", (h) => seen.push(left(h)));
    s.on("trailers", (h) => seen.push("trailers " + left(h)));
    s.on("data", (b) => {
      chunks.push(b);
      opts.data?.(s, b);
    });
    s.on("end", () => seen.push("end"));
    s.on("error", (e) => seen.push(e.code ?? e.message));
    s.on("close", () => done(seen.concat(sum(Buffer.concat(chunks)), "code " + s.rstCode).join("; ")));
    if (typeof body === "function") body(s);
    else if (body !== undefined) s.end(body);
  });
}

const acts = {
  get: (c) => see(c, { ":path": "/saw?q=1", "x-a": ["1", "2"], cookie: "a=1; b=2" }),
  head: (c) => see(c, { ":path": "/declared?n=1000", ":method": "HEAD" }),
  post: (c) => see(c, { ":path": "/saw", ":method": "POST", "content-length": 5 }, "hello"),
  "post without length": (c) => see(c, { ":path": "/saw", ":method": "POST" }, "hello"),
  "options *": (c) => see(c, { ":path": "*", ":method": "OPTIONS" }),
  "download 5 MB": (c) => see(c, { ":path": "/bytes?n=5000000" }),
  "upload 5 MB": (c) => see(c, { ":path": "/upload", ":method": "PUT" }, pattern(5000000)),
  "echo 2 MB": (c) => see(c, { ":path": "/echo", ":method": "POST" }, pattern(2000000)),
  "both ways": (c) => {
    let n = 0;
    const data = (s) => (++n < 100 ? s.write("piece ") : s.end());
    return see(c, { ":path": "/echo", ":method": "POST" }, (s) => s.write("piece "), { data });
  },
  trailers: (c) => see(c, { ":path": "/echo", ":method": "POST", trailer: "x-sent" }, (s) => {
    s.on("wantTrailers", () => s.sendTrailers({ "x-sent": "later" }));
    s.end("body");
  }, { waitForTrailers: true }),
  "early hints": (c) => see(c, { ":path": "/hints" }),
  "expect continue": (c) => see(c, { ":path": "/upload", ":method": "POST", expect: "100-continue" }, (s) => s.on("continue", () => s.end("body"))),
  "early answer": (c) => see(c, { ":path": "/early?code=403", ":method": "POST" }, (s) => s.write("part")),
  204: (c) => see(c, { ":path": "/status?code=204" }),
  304: (c) => see(c, { ":path": "/status?code=304" }),
  404: (c) => see(c, { ":path": "/nowhere" }),
  "many fields": (c) => see(c, { ":path": "/fields?n=20" }),
  "never indexed": (c) => see(c, { ":path": "/saw", "x-secret": "s", [http2.sensitiveHeaders]: ["x-secret"] }),
  "aborted answer": (c) => see(c, { ":path": "/abort" }).then((t) => t.slice(t.lastIndexOf("code"))), // the rest is a matter of chance
  "aborted before": (c) => see(c, { ":path": "/abort/first" }),
  "closed with CANCEL": (c) => see(c, { ":path": "/wait" }, undefined, { data: (s) => s.close(http2.constants.NGHTTP2_CANCEL) }),
  "closed with NO_ERROR": (c) => see(c, { ":path": "/wait" }, undefined, { data: (s) => s.close() }),
  "upload closed": (c) => see(c, { ":path": "/swallow", ":method": "POST" }, (s) => {
    s.write(pattern(100000), () => s.close(http2.constants.NGHTTP2_CANCEL));
  }),
  "paused reader": (c) => see(c, { ":path": "/bytes?n=1000000" }, undefined, {
    data: (s) => {
      if (s.paused1) return;
      s.paused1 = true;
      s.pause();
      setTimeout(() => s.resume(), 300);
    },
  }),
  events: (c) => see(c, { ":path": "/events" }, undefined, { data: () => process.stdout.write('"step"\n') }),
  ping: (c) => new Promise((done) => c.ping(Buffer.from("12345678"), (err, _, payload) => done(`${err} ${payload}`))),
  "many pings": async (c) => {
    const one = () => new Promise((done) => c.ping((err) => done(err ? 1 : 0)));
    let failed = 0;
    for (let i = 0; i < 300; i++) failed += await one();
    return `${failed} failed`;
  },
  settings: async (c) => {
    const set = (s) => new Promise((done) => c.settings(s, (err) => done(String(err))));
    const seen = [];
    for (const s of [{ initialWindowSize: 100000 }, { initialWindowSize: 1 << 20 }, { headerTableSize: 0 }, { headerTableSize: 8192 }, { maxFrameSize: 32768 }, { enablePush: false }]) {
      seen.push(await set(s), (await see(c, { ":path": "/bytes?n=50000" })).slice(-40), (await see(c, { ":path": "/fields?n=2" })).length);
    }
    return seen.join("; ");
  },
  "settings amid a download": async (c) => {
    const whole = see(c, { ":path": "/bytes?n=3000000" });
    for (const initialWindowSize of [100000, 200000, 300000]) await new Promise((done) => c.settings({ initialWindowSize }, done));
    return whole;
  },
  "a thousand requests": async (c) => {
    const seen = new Map();
    for (let i = 0; i < 10; i++) {
      for (const s of await Promise.all(Array.from({ length: 100 }, () => see(c, { ":path": "/upload", ":method": "POST" }, pattern(3000))))) {
        seen.set(s, (seen.get(s) ?? 0) + 1);
      }
    }
    return JSON.stringify([...seen]);
  },
  "priorities": async (c) => {
    const a = see(c, { ":path": "/bytes?n=1000" }, undefined, { weight: 200 });
    const b = see(c, { ":path": "/bytes?n=1000" }, undefined, { weight: 1, exclusive: true });
    return (await a) + " " + (await b);
  },
  "large window": async () => {
    const c = http2.connect(origin, { ...options, settings: { initialWindowSize: 1 << 24, enablePush: false } });
    c.on("connect", () => c.setLocalWindowSize(1 << 24));
    const seen = await see(c, { ":path": "/bytes?n=5000000" });
    c.close();
    return seen;
  },
  "connection destroyed": async () => {
    const c = http2.connect(origin, options);
    c.on("error", () => {});
    const seen = await see(c, { ":path": "/wait" }, undefined, { data: () => c.destroy() });
    return seen.slice(seen.lastIndexOf("waiting"));
  },
  "goaway of the client": async () => {
    const c = http2.connect(origin, options);
    const closed = new Promise((done) => c.on("close", done));
    const whole = see(c, { ":path": "/bytes?n=300000" });
    c.close(); // gracefully
    const seen = await whole;
    await closed;
    return seen;
  },
};

for (const [name, act] of Object.entries(acts)) {
  const session = http2.connect(origin, options);
  const faults = [];
  session.on("error", (e) => faults.push("session " + (e.code ?? e.message)));
  session.on("goaway", (code) => faults.push("GOAWAY " + code));
  await new Promise((done) => session.on("remoteSettings", done));
  await new Promise((done) => session.ping(done)); // net/http acknowledges two SETTINGS that come at once with one ACK
  const seen = await act(session);
  say(name, [seen, ...faults].join("; "));
  await new Promise((done) => (session.closed ? done() : session.close(done)));
}
