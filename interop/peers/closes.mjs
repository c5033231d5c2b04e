// closes.mjs ORIGIN RUNS SIDE_BY_SIDE END: plays the endings on its standard input (closes_test.go) on one
// connection of HTTP/2, RUNS times each, and prints a line for each that ended. One run ends its side of the
// stream with its close frame, as Chromium does, the next once the server has ended its own, as Firefox does, or
// has not within END milliseconds.
import { connect, Socket, closePayload } from "../../cmd/weir/testdata/h2ws.mjs";

const origin = process.argv[2];
const [runs, sideBySide, forTheEnd] = process.argv.slice(3).map(Number);
const patience = 30_000;
let serial = 0;

const brief = (text) => (text.length > 100 && text[0] !== "{" ? `${text.length} octets` : text);

async function once(session, e, early) {
  const told = { Messages: [], Code: 0, Text: "", Clean: false, Error: "" };
  const fields = e.Protocols ? { "sec-websocket-protocol": e.Protocols.join(", ") } : {};
  let s;
  try {
    s = await Socket.open(session, e.Path.replace("{n}", `node-${process.pid}-${serial++}`), fields);
  } catch (fault) {
    told.Error = String(fault);
    return told;
  }
  let tired = false;
  const giveUp = setTimeout(() => {
    tired = true;
    s.stream.destroy();
  }, patience);
  if (e.Octets) s.stream.write(Buffer.from(e.Octets, "hex"));
  for (const m of e.Send ?? []) s.send("text", m);
  let said = false;
  const say = (payload) => {
    if (said) return;
    said = true;
    s.send("close", payload);
    if (early) s.stream.end();
  };
  for (;;) {
    if (e.Close && told.Messages.length >= e.Await) {
      say(e.Close.Code === 1005 ? "" : closePayload(e.Close.Code, e.Close.Text));
    }
    const f = await s.next();
    if (!f) {
      told.Error = tired ? "no close frame" : s.rst === null ? "END_STREAM without a close frame" : `RST_STREAM ${s.rst} without a close frame`;
      break;
    }
    if (f.kind !== "close") {
      if (told.Messages.length < 1000) told.Messages.push(brief(f.payload.toString())); // some have no end
      continue;
    }
    told.Code = f.payload.length >= 2 ? f.payload.readUInt16BE(0) : 1005;
    told.Text = f.payload.subarray(2).toString();
    say(f.payload);
    const later = setTimeout(() => {
      told.Late = true;
      s.stream.end();
    }, forTheEnd);
    while (!s.ended && s.rst === null) await new Promise((resolve) => s.waiting.push(resolve));
    clearTimeout(later);
    told.Clean = s.ended && !tired;
    break;
  }
  clearTimeout(giveUp);
  s.stream.end();
  return told;
}

let input = "";
for await (const b of process.stdin) input += b;
const session = await connect(origin);
session.setMaxListeners(0);
const endings = JSON.parse(input);
const jobs = [];
for (let n = 0; n < runs; n++) for (const i of endings.keys()) jobs.push([i, n % 2 === 0]);
async function work() {
  while (jobs.length > 0) {
    const [i, early] = jobs.shift();
    const begin = performance.now();
    const told = await once(session, endings[i], early);
    console.log(JSON.stringify({ Ending: i, Millis: Math.round(performance.now() - begin), ...told }));
  }
}
await Promise.all(Array.from({ length: sideBySide }, work));
session.destroy();
