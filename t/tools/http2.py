#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An HTTP/2 client made of frames, for Weir::Http2Client: a JSON command a line on standard input, a JSON answer a line on standard output.

Frames are written as told, whether or not the protocol allows them. Left to itself it acknowledges SETTINGS and PING and opens its
windows as bytes come; `set` switches that off.
"""
import base64
import hashlib
import json
import select
import socket
import ssl
import struct
import sys
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
BODY_KEPT = 1 << 20


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Stream:
    def __init__(self):
        self.interim, self.headers, self.trailers = [], None, None
        self.body, self.body_bytes, self.digest = b"", 0, hashlib.md5()
        self.end, self.reset = False, None
        self.window, self.uploaded = 0, 0
        self.most_window = 0  # after any update

    def report(self):
        return {
            "interim": self.interim, "headers": self.headers, "trailers": self.trailers,
            "body": base64.b64encode(self.body).decode(), "body_bytes": self.body_bytes,
            "md5": self.digest.hexdigest(), "most_window": self.most_window, "end": self.end, "reset": self.reset,
        }


class Client:
    def __init__(self, options):
        self.sock = socket.socket()
        if "receive_buffer" in options:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
        self.sock.connect(("127.0.0.1", options["port"]))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options.get("tls"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if options.get("cert"):
                context.load_cert_chain(options["cert"]["cert"], options["cert"]["key"])
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock, server_hostname=options.get("name", "a.test"))
        self.sock.setblocking(False)
        self.tls = options.get("tls", False)
        self.out, self.input = b"", b""
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 26
        self.encoder.huffman = False
        self.streams, self.goaways, self.settings, self.pongs = {}, [], {}, 0
        self.acks, self.closed, self.broken = 0, False, False
        self.block, self.block_stream, self.block_end = bytearray(), 0, False
        self.window, self.initial_window = 65535, 65535
        self.updates_windows = options.get("updates_windows", True)
        self.answers = options.get("answers", True)
        self.reads = True
        if options.get("preface", True):
            entries = options.get("settings", {})
            payload = b"".join(struct.pack(">HI", int(key), value) for key, value in entries.items())
            self.out += PREFACE + frame(SETTINGS, 0, 0, payload)
        self.pump(0)

    # --- bytes ---

    def pump(self, seconds):
        """One round of writing and reading. False when there is nothing more to be had."""
        wants = [self.sock] if self.out and not self.broken else []
        pending = self.tls and self.sock.pending() > 0
        may_read = [self.sock] if self.reads and not self.closed else []
        if not may_read and not wants:
            time.sleep(min(seconds, 0.01))
            return False
        readable, writable, _ = select.select(may_read, wants, [], 0 if pending else seconds)
        if writable:
            try:
                self.out = self.out[self.sock.send(self.out[:262144]):]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            except OSError:
                self.broken = True
        if readable or (pending and self.reads):
            self.read()
        return True

    def read(self):
        try:
            bytes_ = self.sock.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            bytes_ = b""
        if not bytes_:
            self.closed = True
            return
        self.input += bytes_
        at = 0
        while len(self.input) - at >= 9:
            length = int.from_bytes(self.input[at:at + 3], "big")
            if len(self.input) - at < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.input[at + 3:at + 9])
            self.on_frame(kind, flags, stream & 0x7fffffff, self.input[at + 9:at + 9 + length])
            at += 9 + length
        self.input = self.input[at:]

    # --- frames ---

    def at(self, number):
        if number not in self.streams:
            self.streams[number] = Stream()
            self.streams[number].window = self.initial_window
        return self.streams[number]

    def on_block(self):
        stream = self.at(self.block_stream)
        fields = [[name, value] for name, value in self.decoder.decode(bytes(self.block))]
        status = dict(fields).get(":status")
        if stream.headers is not None:
            stream.trailers = fields
        elif status is not None and status.startswith("1"):
            stream.interim.append(fields)
        else:
            stream.headers = fields
        if self.block_end:
            stream.end = True
        self.block = bytearray()

    def on_frame(self, kind, flags, number, payload):
        if kind == DATA:
            stream = self.at(number)
            stream.body_bytes += len(payload)
            stream.digest.update(payload)
            if len(stream.body) < BODY_KEPT:
                stream.body += payload
            stream.end = stream.end or bool(flags & END_STREAM)
            if self.updates_windows and payload:
                more = struct.pack(">I", len(payload))
                self.out += frame(WINDOW_UPDATE, 0, 0, more)
                if not stream.end:
                    self.out += frame(WINDOW_UPDATE, 0, number, more)
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS:
                self.block_stream, self.block_end = number, bool(flags & END_STREAM)
            self.block += payload
            if flags & END_HEADERS:
                self.on_block()
        elif kind == RST_STREAM:
            self.at(number).reset = int.from_bytes(payload, "big")
        elif kind == SETTINGS and flags & ACK:
            self.acks += 1
        elif kind == SETTINGS:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                self.settings[key] = value
                if key == 4:
                    for stream in self.streams.values():
                        stream.window += value - self.initial_window
                    self.initial_window = value
            if self.answers:
                self.out += frame(SETTINGS, ACK, 0)
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == PING and self.answers:
            self.out += frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            last, code = struct.unpack(">II", payload[:8])
            self.goaways.append({"last": last & 0x7fffffff, "code": code, "debug": payload[8:].decode("latin-1")})
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if number == 0:
                self.window += more
            else:
                stream = self.at(number)
                stream.window += more
                stream.most_window = max(stream.most_window, stream.window)

    # --- commands ---

    def headers(self, number, fields, flags=END_STREAM | END_HEADERS):
        self.at(number)
        block = self.encoder.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])
        first, rest = block[:16384], block[16384:]
        self.out += frame(HEADERS, flags if not rest else flags & ~END_HEADERS, number, first)
        while rest:
            part, rest = rest[:16384], rest[16384:]
            self.out += frame(CONTINUATION, 0 if rest else END_HEADERS, number, part)

    def upload(self, number, count, is_last, seconds):
        """Sends `count` bytes as the windows allow; how many went. A stream's uploads are 0, 1, … 255, 0, 1, … together."""
        stream, until, sent = self.at(number), time.monotonic() + seconds, 0
        chunk = bytes(range(256)) * 65
        while sent < count and time.monotonic() < until and not self.closed and stream.reset is None:
            room = min(count - sent, 16384, self.window, stream.window)
            if room > 0 and len(self.out) < 1 << 20:
                sent += room
                self.window -= room
                stream.window -= room
                at = stream.uploaded % 256
                stream.uploaded += room
                self.out += frame(DATA, END_STREAM if is_last and sent == count else 0, number, chunk[at:at + room])
                continue
            self.pump(0.05)
        while self.out and not self.broken and time.monotonic() < until:
            self.pump(0.05)
        return sent

    def is_met(self, what):
        if "end" in what:
            stream = self.streams.get(what["end"])
            return stream is not None and (stream.end or stream.reset is not None)
        if "reset" in what:
            stream = self.streams.get(what["reset"])
            return stream is not None and stream.reset is not None
        if "headers" in what:
            stream = self.streams.get(what["headers"])
            return stream is not None and (stream.headers is not None or stream.reset is not None)
        if "interim" in what:
            stream = self.streams.get(what["interim"])
            return stream is not None and len(stream.interim) > 0
        if "bytes" in what:
            stream = self.streams.get(what["bytes"][0])
            return stream is not None and stream.body_bytes >= what["bytes"][1]
        if "goaway" in what:
            return len(self.goaways) >= what["goaway"]
        if "pongs" in what:
            return self.pongs >= what["pongs"]
        if "settings" in what:
            return len(self.settings) > 0
        if "acks" in what:
            return self.acks >= what["acks"]
        if "close" in what:
            return self.closed
        return False

    def wait(self, what, seconds):
        until = time.monotonic() + seconds
        while not self.is_met(what):
            left = until - time.monotonic()
            if left <= 0 or (self.closed and not self.is_met(what)):
                return False
            self.pump(min(left, 0.2))
        return True

    def flush(self, seconds):
        until = time.monotonic() + seconds
        while self.out and not self.broken and time.monotonic() < until:
            self.pump(0.05)

    def rapid(self, first, count, fields, how):
        """Streams that are reset at once: by us (RST_STREAM), or by what makes the server reset them."""
        sent = 0
        for number in range(first, first + 2 * count, 2):
            if self.closed or self.broken or self.goaways:
                break
            block = self.encoder.encode([(name.encode(), value.encode()) for name, value in fields])
            if how == "client":
                self.out += frame(HEADERS, END_STREAM | END_HEADERS, number, block)
                self.out += frame(RST_STREAM, 0, number, struct.pack(">I", 8))
            elif how == "window":
                self.out += frame(HEADERS, END_STREAM | END_HEADERS, number, block)
                self.out += frame(WINDOW_UPDATE, 0, number, struct.pack(">I", 0x7fffffff))
            else:
                self.out += frame(HEADERS, END_HEADERS, number, block)
                self.out += frame(DATA, END_STREAM, number, b"more than was announced")
            sent += 1
            if sent % 16 == 0:
                self.flush(5)
                if how != "client":    # as fast as the server frees them, or it would run out of streams
                    self.wait({"reset": number}, 1)
                self.pump(0)
        self.flush(5)
        return sent

    def repeat(self, count, piece):
        """The same bytes again and again, until the server ends it."""
        sent, many = 0, max(1, 16384 // len(piece))
        while sent < count and not self.closed and not self.broken and not self.goaways:
            now = min(many, count - sent)
            self.out += piece * now
            sent += now
            self.flush(5)
            self.pump(0)
        return sent

    def do(self, name, arguments):
        if name == "headers":
            return self.headers(*arguments)
        if name == "frame":
            kind, flags, stream, payload = arguments
            self.out += frame(kind, flags, stream, bytes.fromhex(payload))
        elif name == "raw":
            self.out += bytes.fromhex(arguments[0])
        elif name == "flush":
            return self.flush(arguments[0])
        elif name == "pump":
            return self.pump(arguments[0])
        elif name == "pieces":
            for byte in bytes.fromhex(arguments[0]):
                self.out += bytes([byte])
                self.flush(5)
                time.sleep(0.001)
        elif name == "set":
            for key, value in arguments[0].items():
                setattr(self, key, value)
        elif name == "wait":
            return self.wait(*arguments)
        elif name == "upload":
            return self.upload(*arguments)
        elif name == "rapid":
            return self.rapid(*arguments)
        elif name == "repeat":
            return self.repeat(arguments[0], bytes.fromhex(arguments[1]))
        elif name == "stream":
            return self.at(arguments[0]).report()
        elif name == "field_lengths":
            return [[field, len(value)] for field, value in self.at(arguments[0]).headers or []]
        elif name == "connection":
            return {"goaways": self.goaways, "settings": self.settings, "closed": self.closed, "broken": self.broken,
                    "pongs": self.pongs, "acks": self.acks, "window": self.window, "unsent": len(self.out),
                    "streams": len(self.streams)}
        elif name == "shutdown":
            self.sock.shutdown(socket.SHUT_WR)
        elif name == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
            self.closed = self.broken = True
        elif name == "close":
            self.sock.close()
            self.closed = self.broken = True
        return True


def main():
    client = Client(json.loads(sys.argv[1]))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer = client.do(name, arguments)
        if not client.closed:
            client.pump(0)
        print(json.dumps(answer), flush=True)


main()
