// socket.mjs ORIGIN PATH: one WebSocket over HTTP/2 (RFC 8441). It obeys lines of JSON, and answers each with one:
// ["echo", KIND, SIZE], ["close", CODE, TEXT], ["closing"], ["cut"].
import readline from "node:readline";
import { connect, Socket } from "../../cmd/weir/testdata/h2ws.mjs";

const [origin, path] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));

function pattern(size) {
  const b = Buffer.alloc(size);
  for (let i = 0; i < size; i++) b[i] = 97 + ((i * 7 + (i >> 8)) % 26);
  return b;
}

let session, socket;
try {
  session = await connect(origin);
  socket = await Socket.open(session, path);
  say({ open: true });
} catch (e) {
  say({ error: String(e) });
  process.exit(1);
}

const tasks = {
  async echo(kind, size) {
    const sent = pattern(size);
    socket.send(kind, sent);
    const f = await socket.next();
    if (f && f.kind === kind && f.fin && f.payload.equals(sent)) return {};
    return { error: f ? `${f.kind} of ${f.payload.length} octets came back` : `the stream ended, ${socket.rst}` };
  },
  async close(code, text) {
    const { code: got, text: reason, ended } = await socket.close(code, text);
    return ended ? { code: got, text: reason } : { code: got, error: "no END_STREAM behind the close frame" };
  },
  async closing() {
    const { code, text } = await socket.closing();
    return { code, text };
  },
  async cut() {
    session.destroy();
    return {};
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [task, ...args] = JSON.parse(line);
  say(await tasks[task](...args));
}
