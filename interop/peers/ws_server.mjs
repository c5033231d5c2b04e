// ws_server.mjs WS_MODULE: an echo server by Node's ws, with permessage-deflate. It prints its address.
import { pathToFileURL } from "node:url";

const { WebSocketServer } = await import(pathToFileURL(process.argv[2]));
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 32 << 20, perMessageDeflate: { threshold: 0 } });
server.on("listening", () => console.log(`127.0.0.1:${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => {}); // it has said goodbye already
});
