#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A backend that speaks HTTP/2 frame by frame, well or badly, as the request's path says (Debian: python3-h2).

    h2_backend.py EVENTS [greeting]     prints its port, serves until standard input ends

EVENTS gets a line for whatever the test may wait for. `greeting` says how each connection begins; see greet().
"""
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time

from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PushPromiseFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
events = open(sys.argv[1], 'a', buffering=1)
greeting = sys.argv[2] if len(sys.argv) > 2 else ''
lock = threading.Lock()


def note(text):
    with lock:
        events.write(text + '\n')


def mood_now():
    try:
        with open(sys.argv[1] + '.mood', encoding='ascii') as file:
            return file.read().strip()
    except FileNotFoundError:
        return '200'


class Stream:
    def __init__(self, number, headers):
        self.number, self.headers, self.body, self.trailers = number, headers, bytearray(), []
        self.is_whole = False
        self.window = None
        self.is_read = True

    def get(self, name):
        return next((v for n, v in self.headers if n == name), None)

    @property
    def case(self):
        return self.get(':path').split('?')[0].lstrip('/')

    @property
    def query(self):
        path = self.get(':path')
        return path.split('?')[1] if '?' in path else ''


class Gone(Exception):
    pass


class Connection:
    def __init__(self, sock, index):
        self.sock, self.index = sock, index
        self.encoder, self.decoder = Encoder(), Decoder(max_header_list_size=1 << 26)
        self.streams, self.inbox = {}, b''
        self.window, self.first_window = 65535, 65535
        self.shares = {}  # how much is left to be sent of responses that take turns, by stream

    # ---- frames out ----

    def send(self, *frames):
        self.raw(b''.join(f.serialize() for f in frames))

    def raw(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone() from error

    def frame(self, kind, flags, number, payload):
        self.raw(struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', number) + payload)

    def headers(self, stream, fields, end=False):
        block = self.encoder.encode(fields, huffman=False)  # in Python it takes for ever
        first, rest = block[:16384], block[16384:]
        frame = HeadersFrame(stream.number, first)
        frame.flags |= {'END_STREAM'} if end else set()
        if not rest:
            frame.flags.add('END_HEADERS')
        self.send(frame)
        while rest:
            piece, rest = rest[:16384], rest[16384:]
            frame = ContinuationFrame(stream.number, piece)
            if not rest:
                frame.flags.add('END_HEADERS')
            self.send(frame)

    def data(self, stream, payload, end=False):
        """Without regard for windows, in frames of 16 KiB."""
        while True:
            piece, payload = payload[:16384], payload[16384:]
            frame = DataFrame(stream.number, piece)
            if end and not payload:
                frame.flags.add('END_STREAM')
            self.send(frame)
            if not payload:
                return

    def stream_out(self, stream, total):
        """`total` bytes as the windows allow."""
        sent, piece = 0, bytes(16384)
        if stream.window is None:
            stream.window = self.first_window
        while sent < total:
            room = min(self.window, stream.window, 16384, total - sent)
            if room <= 0:
                self.read_some()
                continue
            frame = DataFrame(stream.number, piece[:room])
            sent += room
            self.window -= room
            stream.window -= room
            if sent == total:
                frame.flags.add('END_STREAM')
            self.send(frame)

    def share_out(self):
        """A frame of each in turn, as the windows allow; reads nothing."""
        is_any = True
        while is_any:
            is_any = False
            for number, left in list(self.shares.items()):
                stream = self.streams[number]
                room = min(self.window, stream.window, 16384, left)
                if room <= 0:
                    continue
                is_any = True
                frame = DataFrame(number, bytes(room))
                self.window -= room
                stream.window -= room
                self.shares[number] -= room
                if room == left:
                    frame.flags.add('END_STREAM')
                    del self.shares[number]
                self.send(frame)

    def respond(self, stream, body=b'fine', status='200', fields=(), end=True):
        self.headers(stream, [(':status', status), ('content-length', str(len(body)))] + list(fields), end=not body and end)
        if body:
            self.data(stream, body, end)

    def rst(self, stream, code):
        self.send(RstStreamFrame(stream.number, code))

    def goaway(self, last, code=0):
        self.send(GoAwayFrame(0, last, code))

    def close(self, is_reset=False):
        if is_reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        raise Gone()

    # ---- frames in ----

    def read_some(self):
        """One frame, or one read. A case that calls it while a frame is being looked at gets the next one."""
        if self.take_frame():
            return
        try:
            data = self.sock.recv(262144)
        except OSError as error:
            note(f'reset {self.index}')
            raise Gone() from error
        if not data:
            note(f'eof {self.index}')
            raise Gone()
        self.inbox += data

    def take_frame(self):
        if len(self.inbox) < 9:
            return False
        frame, length = Frame.parse_frame_header(memoryview(self.inbox[:9]))
        if len(self.inbox) < 9 + length:
            return False
        frame.parse_body(memoryview(self.inbox[9:9 + length]))
        self.inbox = self.inbox[9 + length:]
        self.on_frame(frame)
        return True

    def credit(self, number, count):
        if count > 0:
            self.send(WindowUpdateFrame(number, count))

    def on_frame(self, frame):
        if isinstance(frame, (HeadersFrame, ContinuationFrame)):
            self.on_block(frame)
        elif isinstance(frame, DataFrame):
            self.credit(0, len(frame.data))
            stream = self.streams.get(frame.stream_id)
            if stream is None:
                return
            stream.body += frame.data
            if stream.is_read:
                self.credit(frame.stream_id, len(frame.data))
            if stream.case != 'echo':
                note(f'data {self.index} {frame.stream_id} {len(frame.data)}')
            if 'END_STREAM' in frame.flags:
                self.on_whole(stream)
        elif isinstance(frame, SettingsFrame) and 'ACK' not in frame.flags:
            self.first_window = frame.settings.get(4, 65535)
            note(f'settings {self.index} {json.dumps(frame.settings)}')
            if greeting != 'silent':
                self.send(SettingsFrame(0, flags=['ACK']))
        elif isinstance(frame, SettingsFrame):  # ours have been read
            if greeting == 'streams0-shut':
                self.close()
            if greeting == 'streams0-goaway':
                self.goaway(0)
        elif isinstance(frame, WindowUpdateFrame):
            if frame.stream_id == 0:
                self.window += frame.window_increment
            elif frame.stream_id in self.streams and self.streams[frame.stream_id].window is not None:
                self.streams[frame.stream_id].window += frame.window_increment
            self.share_out()
        elif isinstance(frame, PingFrame):
            note(f'ping {self.index} {"ack" if "ACK" in frame.flags else "asked"}')
            if 'ACK' not in frame.flags and greeting != 'deaf':
                self.send(PingFrame(0, frame.opaque_data, flags=['ACK']))
        elif isinstance(frame, RstStreamFrame):
            note(f'rst {self.index} {frame.stream_id} {frame.error_code}')
            self.streams.pop(frame.stream_id, None)
            self.shares.pop(frame.stream_id, None)
        elif isinstance(frame, GoAwayFrame):
            note(f'goaway {self.index} {frame.last_stream_id} {frame.error_code}')

    def on_block(self, frame):
        if isinstance(frame, HeadersFrame):
            self.head, self.blocks = frame, []
        self.blocks.append(bytes(frame.data))
        if 'END_HEADERS' in frame.flags:
            self.head.data = b''.join(self.blocks)
            self.on_headers(self.head)

    def on_headers(self, frame):
        decoded = self.decoder.decode(bytes(frame.data), raw=True)
        fields = [(field[0].decode(), field[1].decode('latin1')) for field in decoded]
        never = [field[0].decode() for field in decoded if not field.indexable]
        if never:
            note(f'never-indexed {" ".join(never)}')
        stream = self.streams.get(frame.stream_id)
        if stream is not None:
            stream.trailers = fields
            note(f'trailers {self.index} {frame.stream_id} {json.dumps(fields)}')
            self.on_whole(stream)
            return
        stream = self.streams[frame.stream_id] = Stream(frame.stream_id, fields)
        note(f'request {self.index} {frame.stream_id} {stream.get(":path")}')
        early = getattr(self, 'early_' + stream.case.replace('-', '_'), None)
        if early is not None:
            early(stream)
        if 'END_STREAM' in frame.flags:
            self.on_whole(stream)

    def on_whole(self, stream):
        stream.is_whole = True
        note(f'whole {self.index} {stream.number} {len(stream.body)}')
        name = stream.case.replace('-', '_')
        if hasattr(self, 'early_' + name):
            return
        case = getattr(self, 'case_' + name, None) or (self.check if name == 'grpc.health.v1.Health/Check' else None)
        if case is None and name.startswith('rst_'):
            return self.rst(stream, int(name[4:], 0))
        if case is None:
            return self.respond(stream, json.dumps(['no case', stream.case]).encode(), '404')
        case(stream)

    # ---- the life of a connection ----

    def greet(self):
        if greeting == 'http1':
            self.sock.recv(65536)
            self.raw(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
            self.close()
        if greeting == 'garbage':
            self.raw(bytes(random.Random(1).randrange(256) for _ in range(4096)))
        if greeting == 'mute':
            while True:
                self.read_some()
        if greeting == 'shut':
            self.close()
        if greeting == 'ping-first':
            self.send(PingFrame(0, b'12345678'))
        if greeting == 'half':
            self.raw(b'\x00\x00\x12')
            self.sock.shutdown(socket.SHUT_WR)
        if greeting == 'goaway':
            self.send(SettingsFrame(0), GoAwayFrame(0, 0, 0))
        if greeting == 'settings-wrong':  # and what no connection survives, at once
            self.raw(SettingsFrame(0).serialize() + b'\x00\x00\x08\x06\x00\x00\x00\x00\x01' + b'12345678')
        if greeting == 'goaway-bare':
            self.goaway(0, 1)
        settings = {'window0': {4: 0}, 'streams0': {3: 0}, 'streams0-shut': {3: 0}, 'streams0-goaway': {3: 0},
                    'streams1': {3: 1}, 'streams2': {3: 2}, 'connect': {8: 1},
                    'window-huge': {4: 2147483648}, 'frame-tiny': {5: 1}, 'blocked': {4: 1 << 30}}.get(greeting, {})
        self.send(SettingsFrame(0, settings=settings))
        if greeting == 'blocked':  # takes as much as it may be sent, and reads none of it until there is a file EVENTS.go
            self.send(WindowUpdateFrame(0, 1 << 30))
            while not os.path.exists(sys.argv[1] + '.go'):
                time.sleep(0.01)

    def run(self):
        note(f'accept {self.index}')
        try:
            self.greet()
            while len(self.inbox) < len(PREFACE):
                data = self.sock.recv(65536)
                if not data:
                    raise Gone()
                self.inbox += data
            if not self.inbox.startswith(PREFACE):
                self.close()
            self.inbox = self.inbox[len(PREFACE):]
            while True:
                self.read_some()
        except (Gone, OSError):
            pass
        except Exception as error:
            note(f'died {self.index} {error!r}')
            raise
        finally:
            self.sock.close()
            note(f'done {self.index}')


class Cases(Connection):
    """case_x runs when the request /x is whole, early_x when its head is there."""

    # ---- well ----

    def case_fine(self, stream):
        self.respond(stream)

    def case_echo(self, stream):
        """What has arrived, as JSON."""
        told = {'headers': stream.headers, 'length': len(stream.body), 'trailers': stream.trailers, 'stream': stream.number,
                'connection': self.index, 'sum': sum(stream.body[::97])}
        self.respond(stream, json.dumps(told).encode())

    def case_field_lengths(self, stream):
        self.respond(stream, json.dumps([[name, len(value)] for name, value in stream.headers]).encode())

    def case_body(self, stream):
        self.respond(stream, bytes(stream.body))

    def case_large(self, stream):
        """As many bytes as the query says; with a length if it ends in l."""
        total = int(stream.query.rstrip('l'))
        length = [('content-length', str(total))] if stream.query.endswith('l') else []
        self.headers(stream, [(':status', '200')] + length)
        self.stream_out(stream, total)

    def case_share(self, stream):
        """The same, in turn with all others of this kind."""
        self.headers(stream, [(':status', '200'), ('content-length', stream.query)])
        stream.window = self.first_window
        self.shares[stream.number] = int(stream.query)
        self.share_out()

    def case_status(self, stream):
        self.headers(stream, [(':status', stream.query), ('x-case', 'status')], end=True)

    def case_length_only(self, stream):
        self.headers(stream, [(':status', stream.query or '200'), ('content-length', '5000')], end=True)

    def case_no_length(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'fine', end=True)

    def case_empty(self, stream):
        self.headers(stream, [(':status', '200')], end=True)

    def case_empty_data(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'', end=True)

    def case_trailers(self, stream):
        self.headers(stream, [(':status', '200'), ('trailer', 'x-sum')])
        self.data(stream, b'fine')
        self.headers(stream, [('x-sum', '42'), ('via', 'evil'), ('authorization', 'evil'), ('grpc-status', '0')], end=True)

    def case_length_and_trailers(self, stream):
        self.respond(stream, end=False)
        self.headers(stream, [('x-sum', '42')], end=True)

    def case_length_and_announced(self, stream):
        body = b'x' * 200000
        self.headers(stream, [(':status', '200'), ('content-length', str(len(body))), ('trailer', 'x-sum')])
        self.data(stream, body)
        self.headers(stream, [('x-sum', '42')], end=True)

    def case_long_trailers(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'fine')
        self.headers(stream, [(f'x-{i}', 'v' * 1000) for i in range(20)], end=True)

    def case_many_trailers(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'fine')
        self.headers(stream, [(f'x-{i}', 'v') for i in range(101)], end=True)

    def case_interim(self, stream):
        self.headers(stream, [(':status', '103'), ('link', '</a>; rel=preload')])
        self.headers(stream, [(':status', '103'), ('link', '</b>; rel=preload')])
        self.respond(stream)

    def early_continue(self, stream):
        if stream.get('expect') == '100-continue':
            self.headers(stream, [(':status', '100')])
        while not stream.is_whole:
            self.read_some()
        self.respond(stream, bytes(stream.body))

    def early_early(self, stream):
        """A final answer while the body is on its way; then the rest is not wanted (RFC 9113 8.1)."""
        stream.is_read = False
        self.respond(stream, b'enough', '413')
        self.rst(stream, 0)

    def early_early_quiet(self, stream):
        stream.is_read = False
        self.respond(stream, b'enough', '413')

    def early_duplex(self, stream):
        """Each piece goes back as it comes."""
        self.headers(stream, [(':status', '200'), ('content-type', 'application/grpc')])
        sent = 0
        while True:
            if len(stream.body) > sent:
                self.data(stream, bytes(stream.body[sent:]))
                sent = len(stream.body)
            if stream.is_whole:
                break
            self.read_some()
        self.headers(stream, [('grpc-status', '0'), ('x-bytes', str(sent))], end=True)

    def case_padded(self, stream):
        self.headers(stream, [(':status', '200'), ('content-length', '4')])
        frame = DataFrame(stream.number, b'fine', pad_length=200)
        frame.flags |= {'PADDED', 'END_STREAM'}
        self.send(frame)

    def case_unknown_frames(self, stream):
        self.frame(0xbe, 0xff, stream.number, b'grease')
        self.frame(0xbf, 0, 0, b'')
        self.respond(stream)

    def case_pieces(self, stream):
        """One byte a packet."""
        block = self.encoder.encode([(':status', '200'), ('content-length', '4')])
        head, body = HeadersFrame(stream.number, block), DataFrame(stream.number, b'fine')
        head.flags.add('END_HEADERS')
        body.flags.add('END_STREAM')
        for byte in head.serialize() + body.serialize():
            self.raw(bytes([byte]))
            time.sleep(0.001)

    def case_continuations(self, stream):
        block = self.encoder.encode([(':status', '200'), ('content-length', '4'), ('x-long', 'v' * 60)])
        head = HeadersFrame(stream.number, block[:9])
        middle, last = ContinuationFrame(stream.number, block[9:20]), ContinuationFrame(stream.number, block[20:])
        last.flags.add('END_HEADERS')
        self.send(head, middle, last)
        self.data(stream, b'fine', end=True)

    def case_slow(self, stream):
        """Answers when the query's ms have passed, others meanwhile."""
        def answer():
            with self.turn:
                try:
                    self.respond(stream, str(self.index).encode())
                except Gone:
                    pass
        threading.Timer(int(stream.query) / 1000, answer).start()

    def case_goaway_after(self, stream):
        """Answers, and takes no more requests on this connection."""
        self.goaway(stream.number)
        self.respond(stream, str(self.index).encode())

    def case_goaway_mid(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'be')
        self.goaway(stream.number)
        self.data(stream, b'hind', end=True)

    # ---- extended CONNECT (RFC 8441), greeting `connect` ----

    def early_ws_echo(self, stream):
        """Each byte goes back; ends when the other side does."""
        note('connect ' + json.dumps(stream.headers))
        self.headers(stream, [(':status', '200'), ('sec-websocket-protocol', 'chat')])
        sent = 0
        while True:
            if len(stream.body) > sent:
                self.data(stream, bytes(stream.body[sent:]))
                sent = len(stream.body)
            if stream.is_whole:
                break
            self.read_some()
        self.data(stream, b'', end=True)

    def early_ws_end(self, stream):
        """Says something and ends its direction; then listens."""
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'good-bye', end=True)

    def early_ws_rst(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'hello')
        self.rst(stream, 2)

    def early_ws_no(self, stream):
        self.respond(stream, b'no', '403')

    # ---- once on each connection but the first; badly on that ----

    def case_refused_once(self, stream):
        return self.respond(stream, str(self.index).encode()) if self.index else self.rst(stream, 7)

    def early_refused_early(self, stream):
        """Before its body has come."""
        if self.index:
            while not stream.is_whole:
                self.read_some()
            return self.respond(stream, bytes(stream.body))
        return self.rst(stream, 7)

    def case_uncounted_once(self, stream):
        if self.index:
            return self.respond(stream, str(self.index).encode())
        self.goaway(0)
        return self.close()

    def case_drop_used(self, stream):
        """The second request of the first connection is met with its end."""
        return self.respond(stream) if self.index or stream.number == 1 else self.close()

    # ---- in the middle of the request: what the proxy may try elsewhere ----

    def await_some(self, stream):
        while len(stream.body) < 4:
            self.read_some()
        note(f'some {self.index} {stream.number}')

    def early_first_rst(self, stream):
        self.rst(stream, 2)

    def early_first_busy(self, stream):
        """A final answer to the head."""
        self.respond(stream, b'busy', '503')

    def early_middle_rst(self, stream):
        self.await_some(stream)
        self.rst(stream, 2)

    def early_middle_close(self, stream):
        self.await_some(stream)
        self.close()

    def early_middle_goaway(self, stream):
        """And does not count it."""
        self.await_some(stream)
        self.goaway(0)

    def early_middle_busy(self, stream):
        self.await_some(stream)
        self.respond(stream, b'busy', '503')

    def early_middle_hints(self, stream):
        self.await_some(stream)
        self.headers(stream, [(':status', '103'), ('link', '</a>; rel=preload')])
        self.rst(stream, 2)

    def early_continue_rst(self, stream):
        self.headers(stream, [(':status', '100')])
        self.await_some(stream)
        self.rst(stream, 2)

    def case_busy(self, stream):
        self.respond(stream, b'busy', '503')

    def case_pid(self, stream):
        self.respond(stream, str(os.getpid()).encode())

    case_get = case_post = case_h2 = case_pid  # what Weir::Load asks for

    def case_silent_at(self, stream):
        """Silent if it is this process."""
        if str(os.getpid()) != stream.query:
            self.case_pid(stream)

    def case_up(self, stream):
        """As the file beside EVENTS says: a status; busy (the stream is refused); or nothing is said."""
        note('asked ' + ' '.join(f'{name}={value}' for name, value in stream.headers))
        mood = mood_now()
        if mood == 'busy':
            self.rst(stream, 7)
        elif mood.isdigit():
            self.respond(stream, str(os.getpid()).encode(), mood)

    def case_who(self, stream):
        """Its process; whoever is busy refuses."""
        return self.rst(stream, 7) if mood_now() == 'busy' else self.case_pid(stream)

    def check(self, stream):
        """grpc.health.v1: serving with 200, else not."""
        note(f'check {bytes(stream.body[7:]).decode()}')
        if mood_now() == 'hang':
            return
        self.headers(stream, [(':status', '200'), ('content-type', 'application/grpc')])
        self.data(stream, bytes([0, 0, 0, 0, 2, 8, 1 if mood_now() == '200' else 2]))
        self.headers(stream, [('grpc-status', '0')], end=True)

    def case_most(self, stream):
        """From now on so many streams at once; the query's second number: as many again, so many ms later."""
        most, again, later = (self.query_numbers(stream) + [0, 0])[:3]
        self.send(SettingsFrame(0, settings={3: most}))
        self.respond(stream)
        if later:
            threading.Timer(later / 1000, lambda: self.send(SettingsFrame(0, settings={3: again}))).start()

    def query_numbers(self, stream):
        return [int(word) for word in stream.query.split(',')]

    # ---- badly ----

    def case_silence(self, stream):
        pass

    def case_silent_head(self, stream):
        self.headers(stream, [(':status', '200')])

    def case_late_body(self, stream):
        """The query's ms behind the head."""
        self.headers(stream, [(':status', '200'), ('content-length', '2')])
        time.sleep(int(stream.query) / 1000)
        self.data(stream, b'ok', end=True)

    def case_silent_collect(self, stream):
        self.headers(stream, [(':status', '200'), ('content-length', '9')])
        self.data(stream, b'ab')

    def case_silent_body(self, stream):
        self.headers(stream, [(':status', '200'), ('content-length', '99999')])
        self.data(stream, b'ab')

    def case_close(self, stream):
        self.close()

    def case_reset(self, stream):
        self.close(is_reset=True)

    def case_half_small(self, stream):
        self.headers(stream, [(':status', '200'), ('content-length', '100')])
        self.data(stream, b'half')
        self.close()

    def case_half_large(self, stream):
        self.headers(stream, [(':status', '200'), ('content-length', '100000')])
        self.data(stream, b'half')
        self.close()

    def case_half_open(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'half')
        self.close()

    def case_half_head(self, stream):
        head = HeadersFrame(stream.number, self.encoder.encode([(':status', '200'), ('x-a', 'b')]))
        self.raw(head.serialize()[:11])
        self.close()

    def case_half_reset(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'half')
        time.sleep(0.05)
        self.close(is_reset=True)

    def case_half_rst(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'half')
        self.rst(stream, 2)

    def case_goaway_zero(self, stream):
        self.goaway(0)
        self.close()

    def case_goaway_error(self, stream):
        self.goaway(stream.number, 2)
        self.close()

    def case_goaway_mid_die(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'half')
        self.goaway(stream.number)
        self.close()

    def announce(self, stream, *lengths):
        self.headers(stream, [(':status', '200')] + [('content-length', length) for length in lengths])
        self.data(stream, b'fine', end=True)

    def case_beyond(self, stream):
        self.announce(stream, '2')

    def case_short(self, stream):
        self.announce(stream, '10')

    def case_short_large(self, stream):
        self.announce(stream, '100000')

    def case_lengths(self, stream):
        self.announce(stream, '4', '5')

    def case_length_word(self, stream):
        self.announce(stream, 'four')

    def case_no_status(self, stream):
        self.headers(stream, [('x-a', 'b')], end=True)

    def case_status_word(self, stream):
        self.headers(stream, [(':status', 'ok')], end=True)

    def case_status_101(self, stream):
        self.headers(stream, [(':status', '101'), ('upgrade', 'x')])

    def case_status_019(self, stream):
        self.headers(stream, [(':status', '019')], end=True)

    def case_upper(self, stream):
        self.headers(stream, [(':status', '200'), ('X-Upper', 'a')], end=True)

    def case_connection(self, stream):
        self.headers(stream, [(':status', '200'), ('connection', 'close')], end=True)

    def case_chunked(self, stream):
        self.headers(stream, [(':status', '200'), ('transfer-encoding', 'chunked')], end=True)

    def case_newline(self, stream):
        self.headers(stream, [(':status', '200'), ('x-a', 'b\r\nevil: 1')], end=True)

    def case_path_pseudo(self, stream):
        self.headers(stream, [(':status', '200'), (':path', '/')], end=True)

    def case_late_pseudo(self, stream):
        self.headers(stream, [('x-a', 'b'), (':status', '200')], end=True)

    def case_pseudo_trailers(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'fine')
        self.headers(stream, [(':status', '200')], end=True)

    def case_endless_trailers(self, stream):
        self.headers(stream, [(':status', '200')])
        self.data(stream, b'fine')
        self.headers(stream, [('x-a', 'b')], end=False)

    def case_cookie(self, stream):
        self.headers(stream, [(':status', '200'), ('set-cookie', 'c' * 8200)], end=True)

    def case_many(self, stream):
        self.headers(stream, [(':status', '200')] + [(f'x-{i}', 'v') for i in range(1500)], end=True)

    def case_huge(self, stream):
        """One field of 100 KiB: beyond what HPACK is given."""
        self.headers(stream, [(':status', '200'), ('x-huge', 'v' * 100000)], end=True)

    def case_bomb(self, stream):
        """4000 times a field of 4000 bytes by one byte each."""
        self.headers(stream, [(':status', '200'), ('x-bomb', 'v' * 3900)] + [('x-bomb', 'v' * 3900)] * 4000, end=True)

    def case_endless_continuations(self, stream):
        self.frame(1, 0, stream.number, self.encoder.encode([(':status', '200')]))
        for _ in range(100000):
            self.frame(9, 0, stream.number, b'')

    def case_hpack(self, stream):
        self.frame(1, 5, stream.number, bytes(range(255, 155, -1)))

    def case_data_first(self, stream):
        self.data(stream, b'fine', end=True)

    def case_data_behind(self, stream):
        self.respond(stream)
        self.data(stream, b'more')

    def case_two_hundreds(self, stream):
        self.headers(stream, [(':status', '100')])
        self.headers(stream, [(':status', '100')])
        self.respond(stream)

    def case_endless_interim(self, stream):
        for _ in range(5000):
            self.headers(stream, [(':status', '102')])

    def case_large_interims(self, stream):
        for _ in range(60):
            self.headers(stream, [(':status', '103'), ('x-large', 'v' * 60000), ('x-more', 'v' * 60000)])
        self.respond(stream)

    def case_interim_end(self, stream):
        self.headers(stream, [(':status', '103')], end=True)

    def case_interim_silence(self, stream):
        self.headers(stream, [(':status', '103')])

    def case_long_frame(self, stream):
        self.frame(0, 0, stream.number, bytes(16385))

    def case_bad_settings(self, stream):
        self.frame(4, 0, 0, b'12345')

    def case_bad_window(self, stream):
        self.frame(8, 0, 0, b'\0\0\0\0')

    def case_window_overflow(self, stream):
        self.send(WindowUpdateFrame(0, 0x7fffffff))
        self.send(WindowUpdateFrame(0, 0x7fffffff))

    def case_stream_window(self, stream):
        self.frame(8, 0, stream.number, b'\0\0\0\0')

    def case_push(self, stream):
        frame = PushPromiseFrame(stream.number, 2, self.encoder.encode(
            [(':method', 'GET'), (':scheme', 'http'), (':authority', 'a'), (':path', '/')]))
        frame.flags.add('END_HEADERS')
        self.send(frame)

    def case_continuation(self, stream):
        self.frame(9, 4, stream.number, b'')

    def case_even_stream(self, stream):
        self.frame(1, 5, 2, self.encoder.encode([(':status', '200')]))

    def case_flow(self, stream):
        """More than any window allows."""
        self.headers(stream, [(':status', '200')])
        for _ in range(2048):
            self.data(stream, bytes(16384))

    def case_http1(self, stream):
        self.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')

    def case_pings(self, stream):
        for _ in range(20000):
            self.send(PingFrame(0, b'12345678'))
        self.respond(stream)


class Served(Cases):
    def __init__(self, sock, index):
        super().__init__(sock, index)
        self.turn = threading.RLock()


class Dialler:
    """A worker: dials the proxy instead of listening, again and again."""

    def __init__(self, host, port, app, name, fields):
        self.address = (host, int(port))
        lines = [f'GET /workers/v1/{app} HTTP/1.1', f'Host: {host}', 'Connection: Upgrade', 'Upgrade: ptth', 'ALPN: h2']
        lines += [f'Worker-Id: {name}'] if name != '-' else []
        self.request = '\r\n'.join(lines + list(fields) + ['', '']).encode()
        self.served, self.is_leaving = None, False

    def leave(self):
        """Takes nothing new: the proxy closes the connection when what runs has ended, and it is the last one."""
        self.is_leaving = True
        if self.served is not None:
            try:
                self.served.goaway(0x7fffffff)
            except Gone:
                pass

    def run(self):
        while not self.is_leaving:
            try:
                self.serve()
            except OSError:
                pass
            time.sleep(0.1)

    def serve(self):
        global connections
        sock = socket.create_connection(self.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(self.request)
        head = b''
        while not head.endswith(b'\r\n\r\n'):  # one by one: what comes behind is HTTP/2's
            byte = sock.recv(1)
            if not byte:
                return
            head += byte
        status = head.split(b' ')[1].decode()
        note(f'answer {status}')
        if status != '101':
            sock.close()
            return
        with lock:
            index, connections = connections, connections + 1
        self.served = Served(sock, index)
        if self.is_leaving:
            sock.close()
            return
        self.served.run()


connections = 0
diallers = []


def obey(line):
    words = line.decode().rstrip('\n').split('|')
    if words[0] == 'dial':
        diallers.append(Dialler(*words[1:5], words[5:]))
        threading.Thread(target=diallers[-1].run, daemon=True).start()
    elif words[0] == 'leave':
        while diallers:
            diallers.pop().leave()
        note('leaves')


def main():
    global connections
    listener = socket.create_server(('127.0.0.1', 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    while True:
        ready = select.select([listener, sys.stdin], [], [])[0]
        if sys.stdin in ready:
            order = os.read(0, 65536)
            if not order:
                os._exit(0)
            for line in order.splitlines():
                obey(line)
        if listener not in ready:
            continue
        sock = listener.accept()[0]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with lock:
            index, connections = connections, connections + 1
        threading.Thread(target=Served(sock, index).run, daemon=True).start()


main()
