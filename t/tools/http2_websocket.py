#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A WebSocket over HTTP/2 (RFC 8441) by Python's h2: http2_websocket.py PORT PATH COUNT [tls]. Sends COUNT messages, of growing length, reads
each back, closes, and prints what happened: "status 200", "echoed COUNT", "closed".
"""
import os
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings


def masked(opcode, payload):
    key = os.urandom(4)
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8, "big")
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


class WebSocket:
    def __init__(self, port, tls):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock, server_hostname="a.test")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.status, self.input, self.is_over, self.may_connect = None, b"", False, False
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def pump(self):
        bytes_ = self.sock.recv(65536)
        if not bytes_:
            self.is_over = True
            return
        for event in self.h2.receive_data(bytes_):
            if isinstance(event, h2.events.RemoteSettingsChanged):
                offer = event.changed_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
                self.may_connect = self.may_connect or (offer is not None and offer.new_value == 1)
            elif isinstance(event, h2.events.ResponseReceived):
                self.status = dict(event.headers)[":status"]
                self.headers = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.input += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                self.is_over = True
        self.flush()

    def open(self, path):
        while not self.may_connect and not self.is_over:
            self.pump()
        self.stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(self.stream, [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path), (":authority", "a.test"),
            ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"), ("origin", "http://a.test")])
        self.flush()
        while self.status is None and not self.is_over:
            self.pump()

    def send(self, bytes_):
        while bytes_ and not self.is_over:
            room = min(self.h2.local_flow_control_window(self.stream), self.h2.max_outbound_frame_size, len(bytes_))
            if room == 0:
                self.pump()
                continue
            self.h2.send_data(self.stream, bytes_[:room])
            bytes_ = bytes_[room:]
            self.flush()

    def take(self, count):
        while len(self.input) < count and not self.is_over:
            self.pump()
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def message(self):
        head = self.take(2)
        if len(head) < 2:
            return None
        length = head[1] & 127
        if length == 126:
            length = int.from_bytes(self.take(2), "big")
        elif length == 127:
            length = int.from_bytes(self.take(8), "big")
        return head[0] & 15, self.take(length)


def main():
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    websocket = WebSocket(port, len(sys.argv) > 4)
    websocket.open(path)
    print("status", websocket.status)
    if websocket.status != "200":
        return
    print("accept", websocket.headers.get("sec-websocket-accept", "none"), "protocol", websocket.headers.get("sec-websocket-protocol", "none"))
    echoed = 0
    for number in range(count):
        text = bytes([97 + number % 26]) * (1 << (number % 17))
        websocket.send(masked(1, text))
        echoed += websocket.message() == (1, text)
    print("echoed", echoed)
    websocket.send(masked(8, b"\x03\xe8"))
    print("close", (websocket.message() or ("?",))[0])
    websocket.h2.end_stream(websocket.stream)
    websocket.flush()
    while not websocket.is_over:
        websocket.pump()
    print("over")


main()
