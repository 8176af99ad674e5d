#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A backend of HTTP/1.1 and HTTP/2 at one port, with WebSockets and gRPC, which is as well as a file says, and keeps book.

    stories.py EVENTS [OPTIONS]     prints its port, serves until standard input ends (Debian: python3-h2)

OPTIONS is JSON: `name`, which is the body of answers; `port`; `mood` and `gate`, a file and a folder; `answer_ms`.
EVENTS gets a line for whatever the test may wait for: "connected" for HTTP/2, "at PATH" once a request is run, "over PATH" when a
tunnel or a call has ended, "left PATH" when nobody waits for the answer any more, "refused PATH" for one that is not run.

A request with ?gate=NAME is answered once there is GATE/NAME. GET /report says what there was, as JSON: `paths` in order, `answers`,
and `ahead`: by how many the requests at a time were more than the answers before.
The mood, read for each request: a status, "hang", "reset", "refuse" (RST_STREAM: REFUSED_STREAM), "goaway" (and this stream is not
counted), "grpc N" (of a call without a message), "cut" (the head and a message, then RST_STREAM).
"""
import asyncio
import base64
import hashlib
import json
import os
import socket
import struct
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hyperframe.frame import GoAwayFrame

OPTIONS = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
MAGIC = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
NAME = OPTIONS.get('name', 'well').encode()
events = open(sys.argv[1], 'a', buffering=1)


def note(text):
    events.write(text + '\n')


class Book:
    paths, answers, at_once, ahead, most = [], 0, 0, 0, 0

    @classmethod
    def begin(cls, path):
        cls.paths.append(path)
        cls.at_once += 1
        cls.most = max(cls.most, cls.at_once)
        cls.ahead = max(cls.ahead, cls.at_once - cls.answers)
        note(f'at {path}')

    @classmethod
    def end(cls, is_answered):
        cls.at_once -= 1
        cls.answers += is_answered

    @classmethod
    def report(cls):
        return json.dumps({'paths': cls.paths, 'answers': cls.answers, 'ahead': cls.ahead, 'most': cls.most}).encode()


def mood():
    try:
        with open(OPTIONS['mood']) as file:
            return file.read()
    except (KeyError, OSError):
        return ''


async def pass_gate(path):
    if 'gate=' in path:
        while not os.path.exists(f"{OPTIONS['gate']}/{path.split('gate=')[1]}"):
            await asyncio.sleep(0.005)
    if 'answer_ms' in OPTIONS:
        await asyncio.sleep(OPTIONS['answer_ms'] / 1000)


class Gone(Exception):
    pass


# ---- HTTP/1.1 ----

async def echo_websocket(reader, writer):
    while True:
        first, second = await reader.readexactly(2)
        length = second & 127
        if length == 126:
            length = struct.unpack('>H', await reader.readexactly(2))[0]
        key = await reader.readexactly(4)
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
        writer.write(bytes([first]) + (bytes([length]) if length < 126 else struct.pack('>BH', 126, length)) + payload)
        if first & 15 == 8:
            return


async def switch(reader, writer, path, fields):
    accept = base64.b64encode(hashlib.sha1(fields.get('sec-websocket-key', '').encode() + MAGIC).digest()).decode()
    writer.write(f'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Name: {NAME.decode()}\r\n'
                 f'Sec-WebSocket-Accept: {accept}\r\n\r\n'.encode())
    try:
        await echo_websocket(reader, writer)
    finally:
        note(f'over {path}')


def shut(writer):
    """With a reset."""
    writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.close()
    raise Gone()


def respond_http1(writer, status, body):
    writer.write(f'HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body)


async def answer_http1(reader, writer, path, fields):
    now = mood()
    if now == 'reset':
        shut(writer)
    if now == 'hang':
        await reader.read()
        raise Gone()
    await pass_gate(path)
    if fields.get('upgrade', '').lower() == 'websocket' and not now.isdigit():
        return True
    respond_http1(writer, now if now.isdigit() else '200', NAME)
    return False


async def serve_http1(reader, writer, head):
    while True:
        head += await reader.readuntil(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        path, head = lines[0].split(' ')[1], b''
        fields = {name.lower(): value.strip() for name, value in (line.split(':', 1) for line in lines[1:] if line)}
        if 'transfer-encoding' in fields:
            await reader.readuntil(b'0\r\n\r\n')
        await reader.readexactly(int(fields.get('content-length', '0')))
        if path == '/report':
            respond_http1(writer, '200', Book.report())
            continue
        Book.begin(path)
        is_answered = False
        try:
            is_switched = await answer_http1(reader, writer, path, fields)
            is_answered = True
        finally:
            Book.end(is_answered)
        if is_switched:
            return await switch(reader, writer, path, fields)


# ---- HTTP/2 ----

class Stream:
    def __init__(self, number, fields):
        self.number, self.path = number, fields[':path']
        self.is_grpc = fields.get('content-type', '').startswith('application/grpc')
        self.inbox = asyncio.Queue()    # pieces of the body, and None at its end
        self.task = None


class Http2:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.streams = reader, writer, {}
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding='latin-1'))
        self.conn.local_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
        self.conn.initiate_connection()
        self.flush()

    def flush(self):
        self.writer.write(self.conn.data_to_send())

    def send(self, stream, fields, is_end=False):
        self.conn.send_headers(stream.number, fields, end_stream=is_end)
        self.flush()

    def data(self, stream, payload, is_end=False):
        self.conn.send_data(stream.number, payload, end_stream=is_end)
        self.flush()

    def reset(self, stream, code):
        self.conn.reset_stream(stream.number, code)
        self.flush()

    async def body(self, stream):
        while await stream.inbox.get() is not None:
            pass

    async def grpc(self, stream):
        """What comes goes back as it comes."""
        self.send(stream, [(':status', '200'), ('content-type', 'application/grpc'), ('x-name', NAME.decode())])
        try:
            while (piece := await stream.inbox.get()) is not None:
                self.data(stream, piece)
            self.send(stream, [('grpc-status', '0'), ('x-trailing', NAME.decode())], is_end=True)
        finally:
            note(f'over {stream.path}')

    def respond(self, stream, status, body):
        self.send(stream, [(':status', status), ('content-length', str(len(body)))])
        self.data(stream, body, is_end=True)

    async def answer(self, stream):
        now = mood()
        if now == 'hang':
            await asyncio.Event().wait()
        if now == 'reset':
            shut(self.writer)
        await pass_gate(stream.path)
        if now.startswith('grpc '):
            fields = [(':status', '200'), ('content-type', 'application/grpc'), ('grpc-status', now[5:])]
            return self.send(stream, fields, is_end=True)
        if now == 'cut':
            self.send(stream, [(':status', '200'), ('content-type', 'application/grpc')])
            self.data(stream, b'\0\0\0\0\4half')
            return self.reset(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        if stream.is_grpc and not now.isdigit():
            return await self.grpc(stream)
        await self.body(stream)
        return self.respond(stream, now if now.isdigit() else '200', NAME)

    async def run(self, stream):
        if stream.path == '/report':
            return self.respond(stream, '200', Book.report())
        Book.begin(stream.path)
        is_answered = False
        try:
            await self.answer(stream)
            is_answered = True
        except Gone:
            pass
        finally:
            Book.end(is_answered)
            self.streams.pop(stream.number, None)

    def is_refused(self, stream):
        now = mood()
        if now not in ('refuse', 'goaway') or stream.path == '/report':
            return False
        note(f'refused {stream.path}')
        if now == 'refuse':
            self.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            self.writer.write(GoAwayFrame(0, max(stream.number - 2, 0)).serialize())
        return True

    def on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            stream = Stream(event.stream_id, dict(event.headers))
            if not self.is_refused(stream):
                self.streams[stream.number] = stream
                stream.task = asyncio.ensure_future(self.run(stream))
        stream = self.streams.get(getattr(event, 'stream_id', None))
        if isinstance(event, h2.events.DataReceived):
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream:
                stream.inbox.put_nowait(event.data)
        elif isinstance(event, h2.events.StreamEnded) and stream:
            stream.inbox.put_nowait(None)
        elif isinstance(event, h2.events.StreamReset) and stream:
            note(f'left {stream.path}')
            stream.task.cancel()

    async def serve(self, data):
        try:
            while data:
                for event in self.conn.receive_data(data):
                    self.on(event)
                self.flush()
                data = await self.reader.read(65536)
        finally:
            for stream in list(self.streams.values()):
                stream.task.cancel()


async def serve(reader, writer):
    writer.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        head = await reader.readexactly(4)
        if head == PREFACE[:4]:
            note('connected')
            await Http2(reader, writer).serve(head)
        else:
            await serve_http1(reader, writer, head)
    except (Gone, OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', OPTIONS.get('port', 0), backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
