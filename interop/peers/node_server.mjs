// node_server.mjs connect|plain CERT: WebSockets over HTTP/2 (RFC 8441) on Node's http2 server; plain does not offer extended
// CONNECT, and without CERT it is in cleartext. It prints its URL.
import fs from "node:fs";
import http2 from "node:http2";

const [mode, cert] = process.argv.slice(2);
const settings = { enableConnectProtocol: mode === "connect" };
const pem = cert && fs.readFileSync(cert);
const server = cert ? http2.createSecureServer({ cert: pem, key: pem, settings }) : http2.createServer({ settings });

// frame is one frame of a server (RFC 6455, 5.2).
function frame(opcode, payload, fin = true) {
  const body = Buffer.from(payload);
  let head = Buffer.from([0, body.length]);
  if (body.length >= 65536) {
    head = Buffer.alloc(10);
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(body.length), 2);
  } else if (body.length >= 126) {
    head = Buffer.alloc(4);
    head[1] = 126;
    head.writeUInt16BE(body.length, 2);
  }
  head[0] = (fin ? 0x80 : 0) | opcode;
  return Buffer.concat([head, body]);
}

function close(code, text = "") {
  const b = Buffer.alloc(2);
  b.writeUInt16BE(code);
  return frame(8, Buffer.concat([b, Buffer.from(text)]));
}

// parse takes whole frames off the chunks, and gives what is left.
function parse(chunks, size, found) {
  let all = chunks.length === 1 ? chunks[0] : null;
  for (;;) {
    if (size < 14 && !all) all = Buffer.concat(chunks);
    const head = all ?? (chunks[0].length >= 14 ? chunks[0] : (all = Buffer.concat(chunks)));
    if (size < 2) break;
    let n = head[1] & 0x7f;
    let start = 2;
    if (n === 126) {
      if (size < 4) break;
      n = head.readUInt16BE(2);
      start = 4;
    } else if (n === 127) {
      if (size < 10) break;
      n = Number(head.readBigUInt64BE(2));
      start = 10;
    }
    const masked = (head[1] & 0x80) !== 0;
    const end = start + (masked ? 4 : 0) + n;
    if (size < end) break;
    all ??= Buffer.concat(chunks);
    const payload = Buffer.from(all.subarray(end - n, end));
    if (masked) for (let i = 0; i < n; i++) payload[i] ^= all[start + (i & 3)];
    found({ fin: (all[0] & 0x80) !== 0, rsv: all[0] & 0x70, opcode: all[0] & 0xf, masked, payload });
    all = all.subarray(end);
    chunks = [all];
    size = all.length;
  }
  return all ? [all] : chunks;
}

// serve answers frames; each is what a handler makes of it.
function serve(stream, handler) {
  let chunks = [];
  let size = 0;
  let closed = false;
  stream.on("data", (b) => {
    chunks.push(b);
    size += b.length;
    chunks = parse(chunks, size, (f) => {
      if (closed) return;
      if (!f.masked || f.rsv) {
        closed = true;
        stream.end(close(1002, "unmasked, or reserved bits")); // RFC 6455, 5.1 and 5.2
      } else if (f.opcode === 8) {
        closed = true;
        stream.end(frame(8, f.payload.subarray(0, 2)));
      } else if (f.opcode === 9) {
        stream.write(frame(10, f.payload));
      } else {
        handler(f);
      }
    });
    size = chunks.reduce((n, c) => n + c.length, 0);
  });
}

const paths = {
  "/echo": (stream) => serve(stream, (f) => stream.write(frame(f.opcode, f.payload, f.fin))),
  "/closes": (stream) => {
    const greeting = Buffer.from("ein Gruß");
    stream.write(frame(1, greeting.subarray(0, 8), false)); // amid a character
    stream.write(frame(9, "between"));
    stream.write(frame(0, "", false));
    stream.write(frame(0, greeting.subarray(8)));
    serve(stream, (f) => {
      if (f.opcode !== 10) return;
      stream.write(frame(1, "pong: " + f.payload));
      stream.end(close(4002, "over"));
    });
  },
  "/resets": (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
};

server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  const path = paths[headers[":path"]];
  if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket" || headers["sec-websocket-version"] !== "13") {
    stream.respond({ ":status": 400 }, { endStream: true });
  } else if (!path) {
    stream.respond({ ":status": 403 });
    stream.end("no");
  } else {
    stream.respond({ ":status": 200 });
    path(stream);
  }
});
server.on("sessionError", () => {});
server.listen(0, "127.0.0.1", () => console.log(`${cert ? "wss" : "ws"}://127.0.0.1:${server.address().port}`));
