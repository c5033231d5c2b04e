"""deflate.py URL: what deflate.mjs does, with python3-websockets."""
import asyncio
import itertools
import json
import os
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

WORDS = ["wave", "weir", "lock", "gate", '{"id":', "true", "0.25", "\u6c34"]


def messages():
    out = ["", "a", "Hello"]
    for size in [125, 126, 1000, 5000, 70000]:
        text, i = "", size
        while len(text) < size:
            text += WORDS[i % 8] + str(i * 7919 % 1000) + " "
            i += 1
        out += [text[:size], text.encode(), text[: min(size, 1000)]]
    return out + [os.urandom(3000), bytes(100000), "Hello"]


async def run(url, server_nct, client_nct, server_bits, client_bits):
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=server_nct,
        client_no_context_takeover=client_nct,
        server_max_window_bits=server_bits,
        client_max_window_bits=client_bits,
    )
    async with websockets.connect(url, extensions=[factory], compression=None, max_size=None, ping_interval=None) as ws:
        every = messages()

        async def send():
            for m in every:
                await ws.send(m)

        sending = asyncio.create_task(send())
        same = 0
        for m in every:
            same += await ws.recv() == m
        await sending
        agreed = ws.response_headers.get("Sec-WebSocket-Extensions", "")
        await ws.close(1000)
        return {
            "options": {
                "serverNoContextTakeover": server_nct,
                "clientNoContextTakeover": client_nct,
                "serverMaxWindowBits": server_bits,
                "clientMaxWindowBits": client_bits,
            },
            "agreed": agreed,
            "sent": len(every),
            "same": same,
            "close": ws.close_code,
        }


async def main(url):
    results = []
    # zlib compresses with a window of 9 bits or more; it inflates with 8.
    for c in itertools.product([False, True], [False, True], [None, 8, 11, 15], [None, True, 9, 11, 15]):
        results.append(await run(url, *c))
    print(json.dumps(results))


asyncio.run(main(sys.argv[1]))
