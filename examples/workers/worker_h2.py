#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A worker in Python with python3-h2: a small HTTP/2 server for any WSGI application, its connections dialled to Weir.

    python3 worker_h2.py                          ROUTER=127.0.0.1:9001 APP=demo
    TOKEN=secret-of-the-app CA=/etc/weir/ca.pem ROUTER=router.internal:9001 python3 worker_h2.py       with TLS

A thread for each connection, and one for each request. SIGTERM: it takes nothing new, finishes what runs, and exits.
"""
import contextlib, os, random, select, signal, socket, ssl, sys, tempfile, threading, time, urllib.parse
import h2.config, h2.connection, h2.errors, h2.events, h2.exceptions, h2.settings

ROUTER, APP = os.environ.get("ROUTER", "127.0.0.1:9001"), os.environ.get("APP", "demo")
TOKEN, CA = os.environ.get("TOKEN"), os.environ.get("CA")
CONNECTIONS, CAPACITY = 2, 20  # each of the connections takes so many requests at once
DEAD_S = 15                    # Weir sends a PING every five seconds: three are missing
IN_MEMORY = 1 << 20            # bytes of a request's body; a longer one waits on disk
GOAWAY = bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")  # nothing new, please; all that has come will be answered


# ---- the application: nothing in it knows of Weir ----

def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return iter(lambda: environ["wsgi.input"].read(65536), b"")  # back it goes
    if environ["PATH_INFO"] == "/slow":
        start_response("200 OK", [])
        return (time.sleep(wait) or text for wait, text in ((0, b"slow..."), (1, b" and done\n")))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello from python %d\n" % os.getpid()]


# ---- the server ----

sessions, stopping = set(), threading.Event()


class Gone(Exception):
    """The client or the connection is."""


class Session:
    """One connection: this thread reads, those of requests write. The lock is for everything of h2's."""

    def __init__(self, sock):
        self.sock, self.lock, self.running, self.ended = sock, threading.Condition(), {}, False
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def leave(self):
        """Weir closes the connection when what runs on it has ended."""
        with self.lock, contextlib.suppress(OSError):
            self.sock.sendall(GOAWAY)

    def serve(self, data):
        """Until the connection ends. `data`: what has been read of it already."""
        try:
            with self.lock:
                self.h2.initiate_connection()
                self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: CAPACITY})
                self.flush()
                sessions.add(self)
                if stopping.is_set():
                    self.leave()
            while True:
                with self.lock:
                    for event in self.h2.receive_data(data) if data else ():
                        self.handle(event)
                    self.flush()
                    self.lock.notify_all()
                if not self.has_pending() and not select.select([self.sock], [], [], DEAD_S)[0]:
                    return "silence"
                with self.lock:  # for TLS: one thread at a time
                    data = self.sock.recv(65536)
                if not data:
                    return "the connection has ended"
        except (OSError, h2.exceptions.ProtocolError) as error:
            return str(error) or type(error).__name__
        finally:
            sessions.discard(self)
            with self.lock:
                self.ended = True
                self.lock.notify_all()

    def has_pending(self):
        with self.lock:
            return CA and self.sock.pending() > 0

    def handle(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.running[stream] = (event.headers, tempfile.SpooledTemporaryFile(IN_MEMORY))
        elif isinstance(event, h2.events.DataReceived):
            if stream in self.running:
                self.running[stream][1].write(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)  # or no more comes than a window
        elif isinstance(event, h2.events.StreamEnded) and stream in self.running:
            threading.Thread(target=self.answer, args=(stream, *self.running[stream]), daemon=True).start()
        elif isinstance(event, h2.events.StreamReset):
            self.running.pop(stream, None)

    def send(self, stream, *, headers=None, data=b"", end=False):
        """Waits where the window is closed: whatever its size, a body goes out piece by piece."""
        with self.lock:
            if headers:
                self.check(stream)
                self.h2.send_headers(stream, headers)
            while data or end:
                self.check(stream)
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if data and room <= 0:
                    self.lock.wait()
                    continue
                piece, data = data[:room], data[room:]
                self.h2.send_data(stream, piece, end_stream=end and not data)
                self.flush()
                end = end and bool(data)
            self.flush()

    def check(self, stream):
        if self.ended or stream not in self.running:
            raise Gone

    def answer(self, stream, headers, body):
        status, pieces, is_head = [], (), (":method", "HEAD") in headers
        try:
            body.seek(0)
            pieces = app(environ_of(headers, body), lambda line, pairs, why=None: status.append((line, pairs)))
            for piece in pieces:
                if status:  # of a generator it is there with its first piece
                    self.send(stream, headers=head_of(*status.pop()))
                self.send(stream, data=b"" if is_head else piece)
            self.send(stream, headers=head_of(*status.pop()) if status else None, end=True)
        except (Gone, OSError, h2.exceptions.ProtocolError):
            pass
        except Exception as error:  # the application's: the client learns of it by a reset
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            with self.lock:
                if not self.ended and stream in self.running:
                    self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
                    self.flush()
        finally:
            getattr(pieces, "close", lambda: None)()
            body.close()
            self.running.pop(stream, None)


def head_of(line, pairs):
    return [(":status", line.split()[0])] + [(name.lower(), value) for name, value in pairs]


def environ_of(headers, body):
    of = dict(headers)
    path, _, query = of.get(":path", "/").partition("?")
    environ = {"REQUEST_METHOD": of[":method"], "SCRIPT_NAME": "", "PATH_INFO": urllib.parse.unquote(path, "latin-1"),
               "QUERY_STRING": query, "SERVER_NAME": of.get(":authority", ""),
               "SERVER_PORT": "443" if of.get(":scheme") == "https" else "80",
               "SERVER_PROTOCOL": "HTTP/2", "wsgi.version": (1, 0), "wsgi.url_scheme": of.get(":scheme", "http"),
               "wsgi.input": body, "wsgi.errors": sys.stderr,
               "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False}
    for name, value in [("host", of.get(":authority", ""))] + [pair for pair in headers if pair[0][0] != ":"]:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
        environ[key] = f"{environ[key]}{'; ' if name == 'cookie' else ', '}{value}" if key in environ else value
    return environ


# ---- the dialler ----

def dial():
    """A registered connection, and what has come behind the 101: HTTP/2 begins there, as a rule in the same piece."""
    host, port = ROUTER.rsplit(":", 1)
    sock = socket.create_connection((host.strip("[]"), int(port)), DEAD_S)
    if CA:
        sock = ssl.create_default_context(cafile=CA).wrap_socket(sock, server_hostname=host.strip("[]"))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    token = f"Authorization: Bearer {TOKEN}\r\n" if TOKEN else ""
    sock.sendall((f"GET /workers/v1/{APP} HTTP/1.1\r\nHost: {ROUTER}\r\nConnection: Upgrade\r\nUpgrade: ptth\r\n"
                  f"ALPN: h2\r\nWorker-Protocol: 1\r\nWorker-Id: python-{os.getpid()}\r\n"
                  f"Worker-Capacity: {CAPACITY}\r\n{token}\r\n").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise OSError("closed instead of an answer")
        data += piece
    head, data = data.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 101 "):
        raise OSError((head + b" " + data).decode("latin-1"))
    sys.stderr.write(f"registered with {ROUTER}\n")
    return sock, data


def keep_dialling():
    wait = 0.2
    while not stopping.is_set():
        try:
            sock, data = dial()
            wait = 0.2
            why = Session(sock).serve(data)
            sock.close()
        except OSError as error:
            why = error
        pause = wait * random.uniform(0.5, 1.5)
        wait = min(wait * 2, 2)
        if not stopping.is_set():
            sys.stderr.write(f"{ROUTER}: {why}; again in {pause:.1f} s\n")
        stopping.wait(pause)


# ---- main ----

diallers = [threading.Thread(target=keep_dialling) for _ in range(CONNECTIONS)]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
for dialler in diallers:
    dialler.start()
signal.sigwait([signal.SIGTERM])
stopping.set()
for session in list(sessions):
    session.leave()
for dialler in diallers:
    dialler.join()
