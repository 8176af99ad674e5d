#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A worker in Python for any ASGI application (FastAPI, Starlette, Django): hypercorn's server on connections dialled to Weir.

    python3 worker_asgi.py                        ROUTER=127.0.0.1:9001 APP=demo      Debian: python3-hypercorn
    TOKEN=secret-of-the-app CA=/etc/weir/ca.pem ROUTER=router.internal:9001 python3 worker_asgi.py     with TLS

SIGTERM: it takes nothing new, finishes what runs, and exits.
"""
import asyncio, os, random, signal, ssl, sys
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

ROUTER, APP = os.environ.get("ROUTER", "127.0.0.1:9001"), os.environ.get("APP", "demo")
TOKEN, CA = os.environ.get("TOKEN"), os.environ.get("CA")
CONNECTIONS, CAPACITY = 2, 100  # each of the connections takes so many requests at once
DEAD_S = 15                     # Weir sends a PING every five seconds: three are missing
GOAWAY = bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")  # nothing new, please; all that has come will be answered


# ---- the application: nothing in it knows of Weir ----

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["method"] == "POST":
        more = True
        while more:  # back it goes
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif scope["path"] == "/slow":
        await send({"type": "http.response.body", "body": b"slow...", "more_body": True})
        await asyncio.sleep(1)
        await send({"type": "http.response.body", "body": b" and done\n"})
    else:
        await send({"type": "http.response.body", "body": b"hello from asgi %d\n" % os.getpid()})


# ---- the server ----

config = Config()
config.h2_max_concurrent_streams = CAPACITY
config.keep_alive_timeout = 366 * 86400   # a link without requests is no reason to hang up,
config.keep_alive_max_requests = 1 << 62  # neither are many


class Reader:
    """hypercorn 0.13 waits for ever behind a connection's end, 0.17 until it has been idle for long enough: both are told."""

    def __init__(self, reader):
        self.reader, self.ended = reader, asyncio.Event()

    def at_eof(self):
        return False

    async def read(self, most):
        try:
            data = await asyncio.wait_for(self.reader.read(most), DEAD_S)
            if data:
                return data
        except (OSError, asyncio.TimeoutError):
            pass
        self.ended.set()
        raise ConnectionResetError


def server_on(reader, writer):
    reader, loop = Reader(reader), asyncio.get_running_loop()
    try:
        return TCPServer(app, loop, config, WorkerContext(), reader, writer)  # Debian 12: hypercorn 0.13
    except TypeError:
        from hypercorn.utils import wrap_app                                  # Debian 13: 0.17
        wrapped, context = wrap_app(app, config.wsgi_max_body_size, "asgi"), WorkerContext(None)
        context.terminated = reader.ended
        return TCPServer(wrapped, loop, config, context, {}, reader, writer)


# ---- the dialler ----

async def dial():
    """A registered connection. What has come behind the 101 stays in the reader, for the server."""
    host, _, port = ROUTER.rpartition(":")
    tls = ssl.create_default_context(cafile=CA) if CA else None
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls)
    token = f"Authorization: Bearer {TOKEN}\r\n" if TOKEN else ""
    writer.write((f"GET /workers/v1/{APP} HTTP/1.1\r\nHost: {ROUTER}\r\nConnection: Upgrade\r\nUpgrade: ptth\r\n"
                  f"ALPN: h2\r\nWorker-Protocol: 1\r\nWorker-Id: asgi-{os.getpid()}\r\n"
                  f"Worker-Capacity: {CAPACITY}\r\n{token}\r\n").encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        writer.close()
        raise OSError(head.decode("latin-1").strip())
    sys.stderr.write(f"registered with {ROUTER}\n")
    return reader, writer


async def keep_dialling(links, stopping):
    wait, stopped = 0.2, asyncio.ensure_future(stopping.wait())
    while not stopping.is_set():
        why = "the connection has ended"
        try:
            reader, writer = await asyncio.wait_for(dial(), DEAD_S)
            wait = 0.2
            links.add(writer)
            if not stopping.is_set():
                await server_on(reader, writer).run()
            writer.close()
            links.discard(writer)
        except Exception as error:  # it may be one of hypercorn's
            why = str(error) or type(error).__name__
        pause = wait * random.uniform(0.5, 1.5)
        wait = min(wait * 2, 2)
        if not stopping.is_set():
            sys.stderr.write(f"{ROUTER}: {why}; again in {pause:.1f} s\n")
        await asyncio.wait([stopped], timeout=pause)


# ---- main ----

async def main():
    links, stopping = set(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    diallers = [asyncio.ensure_future(keep_dialling(links, stopping)) for _ in range(CONNECTIONS)]
    await stopping.wait()
    for writer in links:
        writer.write(GOAWAY)  # Weir closes the connection when what runs on it has ended
    await asyncio.gather(*diallers)


asyncio.run(main())
