# SPDX-License-Identifier: MIT
"""Connections that make one request each and are then kept open, doing nothing.

    idle.py KIND PORT

KIND is plain, tls or h2 (over TLS). Reads a number from each line of its input, opens as many more connections, and prints how
many are open and have had their answer. Ends with its input.
"""
import socket
import ssl
import struct
import sys

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE

END_STREAM = 1
SETTINGS, HEADERS = 4, 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def read_exactly(connection, count):
    got = b""
    while len(got) < count:
        piece = connection.recv(count - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def ask_http1(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += read_exactly(connection, 1)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r")[0])
    read_exactly(connection, length)


def ask_http2(connection):
    # :method GET, :scheme https, :path / of the static table; :authority a
    request = frame(HEADERS, 4 | END_STREAM, 1, b"\x82\x87\x84\x41\x01a")
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + request)
    while True:
        head = read_exactly(connection, 9)
        read_exactly(connection, int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == SETTINGS and not flags & 1:
            connection.sendall(frame(SETTINGS, 1, 0))
        if stream == 1 and flags & END_STREAM:
            return


def open_one(kind, port):
    connection = socket.create_connection(("127.0.0.1", port))
    if kind != "plain":
        connection = CONTEXT.wrap_socket(connection, server_hostname="localhost")
    if kind == "h2":
        ask_http2(connection)
    else:
        ask_http1(connection)
    return connection


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "h2":
        CONTEXT.set_alpn_protocols(["h2"])
    connections = []
    for line in sys.stdin:
        connections += [open_one(kind, port) for _ in range(int(line))]
        print(len(connections), flush=True)


main()
