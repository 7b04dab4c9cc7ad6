"""A bridge on Python's websockets: one JSON line on standard output for each thing that happens, each line on
standard input is sent as a text frame."""

import asyncio
import json
import sys

from websockets.asyncio.server import serve


def say(**what):
    print(json.dumps(what), flush=True)


async def talk(connection, lines):
    request = connection.request
    say(
        opened=request.path,
        authorization=request.headers.get("Authorization"),
        agent=request.headers.get("User-Agent"),
        subprotocol=connection.subprotocol,
        extensions=request.headers.get("Sec-WebSocket-Extensions"),
    )

    async def forward():
        while True:
            await connection.send(await lines.get())

    sender = asyncio.create_task(forward())
    try:
        async for frame in connection:
            say(frame=frame if isinstance(frame, str) else None)
    finally:
        sender.cancel()
        say(closed=connection.close_code)


async def main():
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def readable():
        line = sys.stdin.readline()
        if line:
            lines.put_nowait(line.rstrip("\n"))
        else:
            ended.set()

    loop.add_reader(sys.stdin, readable)
    async with serve(
        lambda connection: talk(connection, lines),
        "127.0.0.1",
        0,
        subprotocols=["meetd.v1"],
        ping_interval=0.2,
        ping_timeout=5,
    ) as server:
        say(port=server.sockets[0].getsockname()[1])
        await ended.wait()


asyncio.run(main())
