// deflate.mjs WS URL: opens one WebSocket to /echo for each combination of the four parameters of permessage-deflate (RFC 7692, 7.1)
// that ws (the package in the folder WS) can ask for, echoes messages over it, and prints what became of each, as JSON.
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import crypto from "node:crypto";

const [folder, url] = process.argv.slice(2);
const { WebSocket } = await import(pathToFileURL(folder + "/wrapper.mjs"));

const word = (i) => ["wave", "weir", "lock", "gate", "{\"id\":", "true", "0.25", "\u6c34"][i % 8] + (i * 7919) % 1000;

// messages repeat themselves, and each other: with context takeover a window is needed to read them.
function messages() {
  const out = ["", "a", "Hello"];
  for (const size of [125, 126, 1000, 5000, 70000]) {
    let text = "";
    for (let i = size; text.length < size; i++) text += word(i) + " ";
    out.push(text.slice(0, size), Buffer.from(text));
    out.push(text.slice(0, Math.min(size, 1000)));
  }
  out.push(crypto.randomBytes(3000), Buffer.alloc(100000), "Hello");
  return out;
}

async function run(options) {
  const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...options } });
  const seen = { options, agreed: "", sent: 0, same: 0, octets: 0, wireIn: 0, wireOut: 0, close: 0 };
  await once(ws, "open");
  seen.agreed = ws.extensions === "" ? "" : upgradeExtensions(ws);
  const got = [];
  let wake;
  ws.on("message", (data, binary) => {
    got.push(binary ? data : data.toString());
    wake?.();
  });
  const all = messages();
  for (const m of all) ws.send(m);
  while (got.length < all.length) await new Promise((resolve) => ((wake = resolve), ws.once("close", resolve)));
  all.forEach((m, i) => {
    seen.sent++;
    seen.octets += Buffer.byteLength(m);
    if (typeof m === "string" ? m === got[i] : m.equals(got[i])) seen.same++;
  });
  seen.wireIn = ws._socket.bytesRead;
  seen.wireOut = ws._socket.bytesWritten;
  ws.close(1000);
  [seen.close] = await once(ws, "close");
  return seen;
}

// upgradeExtensions tells what was agreed on, as the answer spelt it.
function upgradeExtensions(ws) {
  const p = ws._extensions["permessage-deflate"].params;
  return ["permessage-deflate", ...Object.entries(p).map(([k, v]) => (v === true ? k : `${k}=${v}`))].join("; ");
}

const results = [];
for (const serverNoContextTakeover of [false, true]) {
  for (const clientNoContextTakeover of [undefined, true]) { // false refuses what the server may demand (RFC 7692, 7.1.1.2)
    for (const serverMaxWindowBits of [undefined, 8, 11, 15]) {
      for (const clientMaxWindowBits of [undefined, 8, 11, 15]) {
        results.push(await run({ serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }));
      }
    }
  }
}
console.log(JSON.stringify(results));
