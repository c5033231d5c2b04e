// node_ws.mjs: an echo server on Node's ws. Prints its address; ends with standard input. The argument is a folder that has
// ws in it, then the words of a setting.
import { createRequire } from "node:module";

const [folder, ...words] = process.argv.slice(2);
const { WebSocketServer } = createRequire(folder + "/")("ws");
const takeover = words.includes("takeover");
const server = new WebSocketServer({
  host: "127.0.0.1", port: 0, maxPayload: 16 << 20, skipUTF8Validation: !words.includes("utf8"), clientTracking: words.includes("broadcast"),
  perMessageDeflate: words.includes("compress") && { serverNoContextTakeover: !takeover, clientNoContextTakeover: !takeover, threshold: 0, zlibDeflateOptions: { level: 6 } },
});
server.on("listening", () => console.log(`127.0.0.1:${server.address().port}`));
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, binary) => {
    if (words.includes("broadcast")) for (const other of server.clients) other.send(data, { binary });
    else ws.send(data, { binary });
  });
});
process.stdin.on("data", () => { // gc: give back what is not needed
  globalThis.gc?.();
  console.log("ok");
}).on("end", () => process.exit(0));
