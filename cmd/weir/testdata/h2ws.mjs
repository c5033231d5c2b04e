// WebSockets over HTTP/2 (RFC 8441) on Node's http2 module, with framing of its own (RFC 6455, 5): a peer that shares
// no code with the server.
import http2 from "node:http2";
import crypto from "node:crypto";

const names = { 0x0: "continuation", 0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xa: "pong" };
const opcodes = Object.fromEntries(Object.entries(names).map(([k, v]) => [v, Number(k)]));

// connect opens a connection and waits for the SETTINGS that allow extended CONNECT (RFC 8441, 3).
export async function connect(origin) {
  const session = http2.connect(origin, { rejectUnauthorized: false });
  await new Promise((resolve, reject) => {
    session.once("error", reject);
    session.once("remoteSettings", resolve);
  });
  if (!session.remoteSettings.enableConnectProtocol) throw new Error("the first SETTINGS do not allow extended CONNECT");
  return session;
}

// maskedFrame is one frame of a client (RFC 6455, 5.2).
export function maskedFrame(kind, payload, fin = true) {
  const body = Buffer.from(payload);
  let head;
  if (body.length < 126) {
    head = Buffer.from([0, body.length]);
  } else if (body.length < 65536) {
    head = Buffer.alloc(4);
    head[1] = 126;
    head.writeUInt16BE(body.length, 2);
  } else {
    head = Buffer.alloc(10);
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(body.length), 2);
  }
  head[0] = (fin ? 0x80 : 0) | opcodes[kind];
  head[1] |= 0x80;
  const key = crypto.randomBytes(4);
  for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
  return Buffer.concat([head, key, body]);
}

export function closePayload(code, text = "") {
  const b = Buffer.alloc(2);
  b.writeUInt16BE(code);
  return Buffer.concat([b, Buffer.from(text)]);
}

// Socket is one WebSocket: one stream of a session.
export class Socket {
  static open(session, path, headers = {}) {
    const stream = session.request(
      {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": session.encrypted ? "https" : "http",
        ":path": path,
        ":authority": "localhost",
        "sec-websocket-version": "13",
        ...headers,
      },
      { endStream: false },
    );
    return new Promise((resolve, reject) => {
      stream.once("error", reject);
      stream.once("response", (h) => {
        if (h[":status"] !== 200) {
          stream.close(http2.constants.NGHTTP2_CANCEL);
          reject(Object.assign(new Error(`refused with ${h[":status"]}`), { status: h[":status"] }));
          return;
        }
        stream.removeListener("error", reject);
        resolve(new Socket(stream, h));
      });
    });
  }

  constructor(stream, headers) {
    this.stream = stream;
    this.headers = headers;
    this.frames = [];
    this.waiting = [];
    this.buffer = [];
    this.size = 0;
    this.ended = false; // END_STREAM
    this.rst = null; // the code of the stream's end
    stream.on("data", (b) => {
      this.buffer.push(b);
      this.size += b.length;
      this.parse();
    });
    stream.on("end", () => this.wake(() => (this.ended = true)));
    stream.on("error", () => {});
    stream.on("close", () => this.wake(() => (this.rst = stream.rstCode)));
  }

  wake(change) {
    change();
    for (const w of this.waiting.splice(0)) w();
  }

  parse() {
    for (;;) {
      if (this.size < 2) return;
      const need = this.need();
      if (this.size < need) return;
      const all = this.buffer.length === 1 ? this.buffer[0] : Buffer.concat(this.buffer);
      const frame = this.decode(all);
      if (!frame) {
        this.buffer = [all];
        return;
      }
      this.buffer = frame.end < all.length ? [all.subarray(frame.end)] : [];
      this.size = all.length - frame.end;
      this.wake(() => this.frames.push(frame));
    }
  }

  // need is the length of the next frame as far as its header is there.
  need() {
    let b = this.buffer[0];
    if (b.length < 10 && this.buffer.length > 1) {
      b = Buffer.concat(this.buffer);
      this.buffer = [b];
    }
    if (b.length < 2) return 2;
    const short = b[1] & 0x7f;
    if (short < 126) return 2 + short;
    if (short === 126) return b.length < 4 ? 4 : 4 + b.readUInt16BE(2);
    return b.length < 10 ? 10 : 10 + Number(b.readBigUInt64BE(2));
  }

  decode(b) {
    const need = this.need();
    if (b.length < need) return null;
    if (b[0] & 0x70) throw new Error("reserved bits set");
    if (b[1] & 0x80) throw new Error("a server's frame is masked");
    const short = b[1] & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    return { kind: names[b[0] & 0xf], fin: (b[0] & 0x80) !== 0, payload: b.subarray(start, need), end: need };
  }

  send(kind, payload = "", fin = true) {
    this.stream.write(maskedFrame(kind, payload, fin));
  }

  // next is the next frame, or undefined once the stream has ended.
  async next() {
    while (this.frames.length === 0) {
      if (this.ended || this.rst !== null) return undefined;
      await new Promise((resolve) => this.waiting.push(resolve));
    }
    return this.frames.shift();
  }

  // closing reads to the close frame and the end behind it, answers with END_STREAM, and says what came.
  async closing() {
    const frames = [];
    for (let f; (f = await this.next()); ) {
      if (f.kind !== "close") {
        frames.push({ kind: f.kind, text: f.payload.toString() });
        continue;
      }
      while (!this.ended && this.rst === null) await new Promise((resolve) => this.waiting.push(resolve));
      if (this.rst === null) this.stream.end();
      const code = f.payload.length >= 2 ? f.payload.readUInt16BE(0) : 0;
      return { code, text: f.payload.subarray(2).toString(), ended: this.ended, frames };
    }
    return { code: null, ended: this.ended, rst: this.rst, frames };
  }

  // close says goodbye first.
  async close(code, text) {
    this.send("close", code === undefined ? "" : closePayload(code, text));
    return this.closing();
  }
}
