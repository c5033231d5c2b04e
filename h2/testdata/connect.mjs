// An HTTP/2 server with extended CONNECT (RFC 8441) that prints its port, and ends with its standard input.
// Given the files of a key and a certificate it speaks TLS; --no-offer leaves extended CONNECT out.
import http2 from 'node:http2';
import fs from 'node:fs';

const args = process.argv.slice(2);
const settings = { enableConnectProtocol: !args.includes('--no-offer'), maxConcurrentStreams: 200 };
const [key, cert] = args.filter((a) => a[0] !== '-').map((f) => fs.readFileSync(f));
const server = key ? http2.createSecureServer({ key, cert, settings }) : http2.createServer({ settings });

server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  switch (headers[':path']) {
    case '/echo':
      stream.respond({ ':status': 200, 'x-protocol': headers[':protocol'], 'x-scheme': headers[':scheme'] });
      stream.pipe(stream);
      return;
    case '/hello': // octets right behind the 200, and the end
      stream.respond({ ':status': 200 });
      stream.end('hello');
      return;
    case '/early':
      stream.additionalHeaders({ ':status': 103, link: 'a' });
      stream.respond({ ':status': 403 });
      stream.end('go away');
      return;
    case '/refuse':
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    case '/goaway':
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
      stream.session.goaway();
      return;
    default:
      stream.respond({ ':status': 404, 'content-length': 4 });
      stream.end('lost');
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
