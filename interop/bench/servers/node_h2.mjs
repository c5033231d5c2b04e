// node_h2.mjs: an echo server on Node's http2, with the frames made by hand: Node has no WebSockets over HTTP/2 of its own.
// Prints its address; ends with standard input.
import http2 from "node:http2";

const server = http2.createServer({ settings: { enableConnectProtocol: true, maxConcurrentStreams: 1000 } });
server.on("stream", (stream, headers) => {
  if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket") return stream.respond({ ":status": 400 }, { endStream: true });
  stream.respond({ ":status": 200 });
  stream.on("error", () => {});
  let parts = [], have = 0, want = 2;
  stream.on("data", (chunk) => {
    parts.push(chunk);
    have += chunk.length;
    if (have < want) return;
    let b = parts.length === 1 ? parts[0] : Buffer.concat(parts, have);
    const answers = [];
    for (;;) {
      if (b.length < 2) { want = 2; break; }
      let head = 2, n = b[1] & 127;
      if (n === 126) head = 4; else if (n === 127) head = 10;
      if (b.length < head + 4) { want = head + 4; break; }
      if (head === 4) n = b.readUInt16BE(2); else if (head === 10) n = Number(b.readBigUInt64BE(2));
      if (b.length < head + 4 + n) { want = head + 4 + n; break; }
      const answer = Buffer.allocUnsafe(head + n);
      b.copy(answer, 0, 0, head);
      answer[1] &= 127;
      for (let i = 0; i < n; i++) answer[head + i] = b[head + 4 + i] ^ b[head + (i & 3)];
      answers.push(answer);
      const close = (b[0] & 15) === 8;
      b = b.subarray(head + 4 + n);
      if (close) { stream.end(answers.length === 1 ? answers[0] : Buffer.concat(answers)); return; }
    }
    parts = b.length ? [b] : [];
    have = b.length;
    if (answers.length) stream.write(answers.length === 1 ? answers[0] : Buffer.concat(answers));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.on("data", () => { // gc: give back what is not needed
  globalThis.gc?.();
  console.log("ok");
}).on("end", () => process.exit(0));
