#!/usr/bin/env python3
"""What a hostile connection costs: memory of Weir and of HAProxy, in KiB, beside the bytes that the attacker has sent.

    bench/attacks.py [--weir build/release/weir] [--haproxy haproxy] [NAME ...]

Each row starts both proxies anew, with one thread and an access log each, opens its connections, waits until nothing moves
any more and divides what RssAnon has grown by. Loopback only; ends by itself after a few minutes. docs/limits.md has the table.
"""
import argparse, os, resource, select, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = b'GET %s HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n'
LARGE = b''.join(b'X-%d: %s\r\n' % (i, b'v' * 3400) for i in range(4))


# ---- a backend: /silent never answers, /deaf does not read either, /big sends 4 MB, /text the same as text, / says "ok" ----

def backend():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(4096)
    text = b''.join(b'%d: %s\n' % (i, os.urandom(24).hex().encode()) for i in range(70000))

    def answer(conn, head):
        path = head.split(b' ')[1]
        if path == b'/silent':
            return
        body = text if path in (b'/big', b'/text') else b'ok'
        kind = b'text/plain' if path == b'/text' else b'application/octet-stream'
        conn['out'] += b'HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n' % (kind, len(body))
        conn['rest'] = body

    def serve():
        poll, conns = select.epoll(), {}
        listener.setblocking(False)
        poll.register(listener, select.EPOLLIN)
        while True:
            for fd, what in poll.poll():
                if fd == listener.fileno():
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    conns[sock.fileno()] = {'sock': sock, 'in': b'', 'out': b'', 'rest': b'', 'at': 0}
                    poll.register(sock, select.EPOLLIN)
                    continue
                conn = conns[fd]
                try:
                    if what & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                        data = conn['sock'].recv(65536)
                        if not data:
                            raise OSError
                        conn['in'] += data
                        if b' /deaf ' in conn['in']:
                            poll.modify(fd, 0)
                            continue
                        while b'\r\n\r\n' in conn['in'] and not conn['rest']:
                            head, conn['in'] = conn['in'].split(b'\r\n\r\n', 1)
                            answer(conn, head)
                    while conn['out'] or conn['rest']:
                        if not conn['out']:
                            conn['out'] = conn['rest'][conn['at']:conn['at'] + 65536]
                            conn['at'] += 65536
                            if not conn['out']:
                                conn['rest'], conn['at'] = b'', 0
                                continue
                        sent = conn['sock'].send(conn['out'])
                        conn['out'] = conn['out'][sent:]
                    poll.modify(fd, select.EPOLLIN)
                except BlockingIOError:
                    poll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if conn['out'] or conn['rest'] else 0))
                except OSError:
                    poll.unregister(fd)
                    conn['sock'].close()
                    del conns[fd]

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


# ---- the proxies ----

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Proxy:
    def __init__(self, name, work, args, backend_port, has_retries):
        self.name, self.port, self.h2_port = name, free_port(), free_port()
        conf = os.path.join(work, name)
        if name == 'weir':
            text = WEIR % (self.port, backend_port, backend_port)
            command = [args.weir, 'run', '-c', conf]
            self.h2_port = self.port
        else:
            retry = 'retry-on conn-failure empty-response' if has_retries else ''
            text = HAPROXY % (self.port, self.h2_port, retry, backend_port)
            command = [args.haproxy, '-f', conf, '-db']
        with open(conf, 'w') as f:
            f.write(text)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
                break
            except OSError:
                time.sleep(0.01)
        else:
            sys.exit(f'{name} does not start: {" ".join(command)}')

    def memory_kib(self):
        with open(f'/proc/{self.process.pid}/status') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('RssAnon:'))

    def end(self):
        self.process.kill()
        self.process.wait()


WEIR = '''num-threads: 1
listen: {host: 127.0.0.1, port: %d}
weir.access-log: /dev/stdout
weir.header-timeout: 120000
weir.idle-timeout: 120000
weir.first-byte-timeout: 120000
hosts:
  default:
    paths:
      /:
        weir.router: {module: table, apps: {app: {domains: ["*"], backends: ["127.0.0.1:%d"]}}}
      /text:
        compress: [gzip]
        weir.router: {module: table, apps: {app: {domains: ["*"], backends: ["127.0.0.1:%d"]}}}
'''
HAPROXY = '''global
    nbthread 1
    maxconn 9000
    log stdout format raw local0 info
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 120s
    timeout server 120s
    timeout http-request 120s
frontend fe
    bind 127.0.0.1:%d
    bind 127.0.0.1:%d proto h2
    compression algo gzip
    compression type text/plain
    default_backend be
backend be
    %s
    server s1 127.0.0.1:%d
'''


# ---- the attackers; each returns a socket and the bytes that were sent ----

def http1(proxy, data, small_buffer=False, is_answered=False):
    sock = socket.socket()
    if small_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(('127.0.0.1', proxy.port))
    if data:
        sock.sendall(data)
    if is_answered:
        while b'ok' not in sock.recv(65536):
            pass
    return sock, len(data)


def frame(kind, flags, stream, payload=b''):
    return len(payload).to_bytes(3, 'big') + bytes([kind, flags]) + stream.to_bytes(4, 'big') + payload


def literal(name, value, is_indexed=False):
    def text(s):
        return bytes([len(s)]) + s if len(s) < 127 else b'\x7f' + number(len(s) - 127) + s

    def number(n):
        out = b''
        while n >= 128:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])
    return (b'\x40' if is_indexed else b'\x00') + text(name) + text(value)


def http2(proxy, path, fields=lambda i: b'', streams=100, is_large_window=False, small_buffer=False):
    """Settings are acknowledged before the streams begin, as a client does; nothing is read behind that."""
    settings = (b'\x00\x04' + (1 << 20 if is_large_window else 65535).to_bytes(4, 'big'))
    sock = socket.socket()
    if small_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(('127.0.0.1', proxy.h2_port))
    data = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + frame(4, 0, 0, settings) + frame(4, 1, 0)
    if is_large_window:
        data += frame(8, 0, 0, ((1 << 31) - 65536).to_bytes(4, 'big'))
    for i in range(streams):
        block = b'\x82\x86' + literal(b':path', path) + literal(b':authority', b'a.test') + fields(i)
        if b'gzip' not in block:
            block += literal(b'accept-encoding', b'gzip')
        pieces = [block[k:k + 16384] for k in range(0, len(block), 16384)]
        data += frame(1, 1 | (4 if len(pieces) == 1 else 0), 2 * i + 1, pieces[0])
        for k, piece in enumerate(pieces[1:]):
            data += frame(9, 4 if k == len(pieces) - 2 else 0, 2 * i + 1, piece)
    sock.sendall(data)
    return sock, len(data)


def indexed(i):
    """14,000 bytes of head: 3,500 go into the table once, four octets for each stream name them."""
    return (literal(b'x', b'v' * 3500, True) if i == 0 else b'\xbe') + b'\xbe' * 3


def sent_whole(i):
    return b''.join(literal(b'x-%d' % k, b'v' * 3400) for k in range(4))


ATTACKS = [  # name, connections, attacker
    ('idle', 2000, lambda p: http1(p, b'')),
    ('idle behind a request', 2000, lambda p: http1(p, HEAD % b'/' + b'\r\n', is_answered=True)),
    ('half a small head', 2000, lambda p: http1(p, HEAD % b'/')),
    ('half a head of 14 KB', 1000, lambda p: http1(p, HEAD % b'/' + LARGE)),
    ('silent backend, small heads', 1000, lambda p: http1(p, HEAD % b'/silent' + b'\r\n')),
    ('silent backend, heads of 14 KB', 1000, lambda p: http1(p, HEAD % b'/silent' + LARGE + b'\r\n')),
    ('the same, if HAProxy may send it again', 1000, lambda p: http1(p, HEAD % b'/silent' + LARGE + b'\r\n')),
    ('4 MB nobody reads', 500, lambda p: http1(p, HEAD % b'/big' + b'\r\n', True)),
    ('4 MB nobody reads, compressed', 200, lambda p: http1(p, HEAD % b'/text' + b'\r\n', True)),
    ('an upload the backend does not read', 500, lambda p: upload(p)),
    ('HTTP/2: idle', 1000, lambda p: http2(p, b'/', streams=0)),
    ('HTTP/2: idle behind a request', 1000, lambda p: http2(p, b'/', lambda i: literal(b'x', b'v' * 100, True), streams=1)),
    ('HTTP/2: silent backend, 100 small heads', 20, lambda p: http2(p, b'/silent')),
    ('HTTP/2: silent backend, 100 heads of 14 KB', 20, lambda p: http2(p, b'/silent', sent_whole)),
    ('HTTP/2: the same by an index', 20, lambda p: http2(p, b'/silent', indexed)),
    ('HTTP/2: 100 times 4 MB nobody reads', 20, lambda p: http2(p, b'/big', is_large_window=True, small_buffer=True)),
    ('HTTP/2: the same, compressed', 10, lambda p: http2(p, b'/text', is_large_window=True, small_buffer=True)),
]

RETRIES = 'the same, if HAProxy may send it again'  # as Weir does, if a connection that was kept ends without a byte
OWN_BOUNDS_KIB = {'silent backend, heads of 14 KB': 20}  # where memory of what was sent is kept for a purpose


def upload(proxy):
    sock, sent = http1(proxy, HEAD.replace(b'GET', b'POST') % b'/deaf' + b'Content-Length: 100000000\r\n\r\n')
    sock.setblocking(False)
    try:
        for _ in range(64):
            sent += sock.send(b'x' * 65536)
    except BlockingIOError:
        pass
    return sock, sent


def settle(proxy):
    """Until memory has stood still for a second; at most 15."""
    last, since = proxy.memory_kib(), time.time()
    end = since + 15
    while time.time() < end and time.time() - since < 1:
        time.sleep(0.1)
        now = proxy.memory_kib()
        if abs(now - last) > 64:
            last, since = now, time.time()
    return proxy.memory_kib()


def measure(name, count, attack, proxy):
    warm = [http1(proxy, HEAD % b'/' + b'\r\n', is_answered=True) for _ in range(20)]
    time.sleep(0.3)
    for sock, _ in warm:
        sock.close()
    before = settle(proxy)
    held, sent = [], 0
    for _ in range(count):
        try:
            sock, bytes_sent = attack(proxy)
        except OSError:
            continue
        held.append(sock)
        sent += bytes_sent
    after = settle(proxy)
    for sock in held:
        sock.close()
    return (after - before) / count, sent / count / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weir', default=os.path.join(HERE, '..', 'build', 'release', 'weir'))
    parser.add_argument('--haproxy', default='haproxy')
    parser.add_argument('names', nargs='*', metavar='NAME')
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    work, port = tempfile.mkdtemp(), backend()
    print('| attack | sent by each | Weir | HAProxy | within |\n|---|---|---|---|---|')
    for name, count, attack in ATTACKS:
        if args.names and name not in args.names:
            continue
        got = {}
        for which in ('weir', 'haproxy'):
            proxy = Proxy(which, work, args, port, name == RETRIES)
            try:
                got[which], sent = measure(name, count, attack, proxy)
            finally:
                proxy.end()
        most = OWN_BOUNDS_KIB.get(name, max(got['haproxy'], 1.2 * sent))
        print(f"| {name} | {sent:.1f} | {got['weir']:.1f} | {got['haproxy']:.1f} | {'yes' if got['weir'] <= most else 'NO'} |", flush=True)
    shutil.rmtree(work)


main()
