#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A gRPC server (Debian: python3-grpcio) whose messages are plain bytes: prints its port, serves until standard input ends.

    grpc_server.py EVENTS [HEALTH]

HEALTH is a file that says what grpc.health.v1 answers: a number, 1 is serving; without it there is no such service.
"""
import os
import sys
import threading
from concurrent import futures

import grpc

events = open(sys.argv[1], 'a', buffering=1)
lock = threading.Lock()


def note(text):
    with lock:
        events.write(text + '\n')


def unary(request, context):
    for name, value in context.invocation_metadata():
        if name.startswith(('x-', 'trace')):
            note(f'metadata {name} {value}')
    context.send_initial_metadata((('x-initial', 'yes'),))
    context.set_trailing_metadata((('x-trailing', 'yes'), ('x-data-bin', b'\0\1\2')))
    return request[::-1]


def server_stream(request, context):
    count, size = (int(n) for n in request.split(b' '))
    for _ in range(count):
        yield bytes(size)


def client_stream(requests, context):
    count = total = 0
    for request in requests:
        count, total = count + 1, total + len(request)
    return b'%d %d' % (count, total)


def both(requests, context):
    context.add_callback(lambda: note('both ended'))
    for request in requests:
        note('both got ' + request[:20].decode())
        yield request.upper()


def fail(request, context):
    context.set_trailing_metadata((('x-why', 'asked'),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, 'as you wish: 100% \u00fc')


def fail_late(request, context):
    yield b'one'
    context.abort(grpc.StatusCode.DATA_LOSS, 'after one')


def wait(request, context):
    gone = threading.Event()
    context.add_callback(gone.set)
    note('wait begun')
    gone.wait(30)
    note('wait ended')
    return b''


def check(request, context):
    note('check ' + request[2:].decode())
    with open(sys.argv[2]) as health:
        return bytes([8, int(health.read())])


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64),
                         options=(('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1)))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('weir.Test', {
        'Unary': grpc.unary_unary_rpc_method_handler(unary),
        'ServerStream': grpc.unary_stream_rpc_method_handler(server_stream),
        'ClientStream': grpc.stream_unary_rpc_method_handler(client_stream),
        'Both': grpc.stream_stream_rpc_method_handler(both),
        'Fail': grpc.unary_unary_rpc_method_handler(fail),
        'FailLate': grpc.unary_stream_rpc_method_handler(fail_late),
        'Wait': grpc.unary_unary_rpc_method_handler(wait),
    }),))
    if len(sys.argv) > 2:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('grpc.health.v1.Health', {
            'Check': grpc.unary_unary_rpc_method_handler(check)}),))
    print(server.add_insecure_port('127.0.0.1:0'), flush=True)
    server.start()
    while os.read(0, 1):
        pass
    os._exit(0)


main()
