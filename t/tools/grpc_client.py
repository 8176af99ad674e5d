#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A gRPC client (Debian: python3-grpcio): makes the calls named on its command line, one line of JSON about each.

    grpc_client.py PORT CALL...
"""
import json
import queue
import sys
import threading

import grpc

METADATA = (('x-from', 'client'), ('x-from-bin', b'\0\xff'))


def describe(call, result):
    return {'code': call.code().name, 'details': call.details(), 'result': result,
            'trailing': {k: v if isinstance(v, str) else list(v) for k, v in call.trailing_metadata() or ()},
            'initial': {k: v for k, v in call.initial_metadata() or () if isinstance(v, str)}}


def attempt(work):
    try:
        return work()
    except grpc.RpcError as error:
        return {'code': error.code().name, 'details': error.details(),
                'trailing': {k: v if isinstance(v, str) else list(v) for k, v in error.trailing_metadata() or ()}}


class Calls:
    def __init__(self, channel):
        self.channel = channel

    def unary(self, size='5'):
        result, call = self.channel.unary_unary('/weir.Test/Unary').with_call(b'x' * (int(size) - 1) + b'y', metadata=METADATA)
        return describe(call, result[:5].decode() + str(len(result)))

    def server_stream(self, count, size):
        call = self.channel.unary_stream('/weir.Test/ServerStream')(f'{count} {size}'.encode())
        return describe(call, [sum(1 for m in call if len(m) == int(size))])

    def client_stream(self, count, size):
        result, call = self.channel.stream_unary('/weir.Test/ClientStream').with_call(bytes(int(size)) for _ in range(int(count)))
        return describe(call, result.decode())

    def both(self, *words):
        """Each word only when the one before has come back."""
        waiting = queue.Queue()
        call = self.channel.stream_stream('/weir.Test/Both')(iter(waiting.get, None))
        got = []
        for word in words:
            waiting.put(word.encode())
            got.append(next(call).decode())
        waiting.put(None)
        got += [m.decode() for m in call]
        return describe(call, got)

    def both_cancel(self):
        waiting = queue.Queue()
        call = self.channel.stream_stream('/weir.Test/Both')(iter(waiting.get, None))
        waiting.put(b'one')
        got = next(call).decode()
        call.cancel()
        waiting.put(None)
        return {'code': call.code().name, 'result': got}

    def fail(self):
        return self.channel.unary_unary('/weir.Test/Fail')(b'')

    def fail_late(self):
        got = []
        call = self.channel.unary_stream('/weir.Test/FailLate')(b'')
        try:
            for message in call:
                got.append(message.decode())
        except grpc.RpcError:
            pass
        return describe(call, got)

    def unknown(self):
        return self.channel.unary_unary('/weir.Test/NoSuchMethod')(b'')

    def wait(self, seconds='0.5'):
        return self.channel.unary_unary('/weir.Test/Wait')(b'', timeout=float(seconds))

    def many(self, count):
        """At once."""
        results, threads = [], []
        method = self.channel.unary_unary('/weir.Test/Unary')
        for i in range(int(count)):
            threads.append(threading.Thread(target=lambda n=i: results.append(method(b'%d' % n) == (b'%d' % n)[::-1])))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {'code': 'OK', 'result': sum(results)}


def main():
    options = (('grpc.max_receive_message_length', -1), ('grpc.enable_retries', 0), ('grpc.enable_http_proxy', 0))
    with grpc.insecure_channel(f'127.0.0.1:{sys.argv[1]}', options=options) as channel:
        for word in sys.argv[2:]:
            name, *args = word.split(':')
            print(json.dumps(attempt(lambda: getattr(Calls(channel), name)(*args))), flush=True)


main()
