#!/usr/bin/env python3
"""What a store with very many keys costs who follows it: etcd, a proxy with the router `table`, and clients, over sockets.

    bench/state.py load          CPU and memory until all keys are in force, of each kind of key; the start from the file; the end
    bench/state.py latency       from a put to the first answer by it, on every connection of two loops
    bench/state.py lookups       CPU per request while a thousand keys change each second, beside none, and beside keys that nobody follows, which
                                 shows what of it is the store's and its writers', who may be on the same cores

Of a million keys (--keys): a tenth apps, three tenths backends, the rest domains. etcd (Debian's etcd-server), a backend (tools/backend.c) and
the proxy are started for each, on free ports of the loopback, and end with it. Standard library only.
"""
import argparse, base64, http.client, json, os, random, shutil, socket, statistics, subprocess, tempfile, threading, time

from admin import build_tool, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICK = os.sysconf("SC_CLK_TCK")
BATCH = 1000


def b64(text): return base64.b64encode(text.encode()).decode()


def app_key(i): return f"/weir/v1/apps/app-{i:06d}", "{}"
def backend_key(i, apps, port): return f"/weir/v1/backends/app-{i % apps:06d}/web-{i // apps}", json.dumps({"addr": f"127.0.0.1:{port}"})
def host(i): return f"host-{i:07d}.example.com"
def domain_key(i, apps): return f"/weir/v1/domains/{host(i)}", json.dumps({"app": f"app-{i % apps:06d}"}, separators=(",", ":"))


class Store:
    """etcd, and its gateway in JSON."""

    def __init__(self, work):
        self.port, peer = free_port(), f"http://127.0.0.1:{free_port()}"
        at = f"http://127.0.0.1:{self.port}"
        self.log = open(f"{work}/etcd.log", "wb")
        self.process = subprocess.Popen(["etcd", "--data-dir", f"{work}/etcd", "--listen-client-urls", at, "--advertise-client-urls", at, "--listen-peer-urls", peer,
                                         "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}", "--quota-backend-bytes", str(8 << 30),
                                         "--max-txn-ops", str(2 * BATCH), "--unsafe-no-fsync"], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self.connection = self.connect()
                self.call(self.connection, "kv/put", {"key": b64("/t"), "value": ""})
                return
            except (OSError, RuntimeError, http.client.HTTPException):
                time.sleep(0.1)
        raise RuntimeError("etcd did not start")

    def connect(self): return http.client.HTTPConnection("127.0.0.1", self.port)

    def call(self, connection, path, document):
        connection.request("POST", f"/v3/{path}", json.dumps(document))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200: raise RuntimeError(text.decode()[:200])
        return json.loads(text)

    def put(self, key, value, connection=None):
        self.call(connection or self.connection, "kv/put", {"key": b64(key), "value": b64(value)})

    def fill(self, pairs):
        batch = []
        for key, value in pairs:
            batch.append({"requestPut": {"key": b64(key), "value": b64(value)}})
            if len(batch) == BATCH: self.call(self.connection, "kv/txn", {"success": batch}); batch = []
        if batch: self.call(self.connection, "kv/txn", {"success": batch})

    def end(self): self.process.terminate(); self.process.wait(); self.log.close()


class Proxy:
    """Follows the store, from the file or without one."""

    def __init__(self, a, work, store_port, threads=1, snapshot=None):
        self.work, self.port, self.admin = work, free_port(), f"{work}/admin.sock"
        if os.path.exists(self.admin): os.unlink(self.admin)
        with open(f"{work}/weir.conf", "w") as f:
            f.write(f"""{'user: root' if os.geteuid() == 0 else ''}
num-threads: {threads}
listen: {{ host: 127.0.0.1, port: {self.port} }}
weir.access-log: OFF
weir.admin: {{ path: {self.admin} }}
weir.state: {{ etcd: {{ endpoints: [ "127.0.0.1:{store_port}" ], status: OFF }}, wait: 1h{f', snapshot: {snapshot}, snapshot-interval: 1s' if snapshot else ''} }}
hosts: {{ default: {{ paths: {{ /: {{ weir.router: {{ module: table, name: main, state: ON }} }} }} }} }}
""")
        self.err = open(f"{work}/stderr", "wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen([a.weir, "run", "-c", f"{work}/weir.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err)

    def source(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.admin)
            s.sendall(b"GET /v1/sources HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b""
            while part := s.recv(65536): text += part
        return json.loads(text[text.index(b"{"):text.rindex(b"}") + 1])["sources"][0]

    def until(self, holds, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if holds(self.source()): return time.monotonic() - self.began
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        raise RuntimeError("weir: " + open(self.err.name).read()[-500:])

    def cpu_s(self, tid=None):
        with open(f"/proc/{self.process.pid}/{f'task/{tid}/' if tid else ''}stat") as f: fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss(self):
        """What it has for itself; pages of the program and its libraries are no key's."""
        with open(f"/proc/{self.process.pid}/status") as f: return 1024 * int(next(line for line in f if line.startswith("RssAnon")).split()[1])

    def end(self):
        begin = time.monotonic()
        self.process.terminate()
        try: self.process.wait(120)
        except subprocess.TimeoutExpired: self.process.kill(); self.process.wait()
        self.err.close()
        return time.monotonic() - begin


# ---------------------------------------------------------------- load
def follow_once(a, work, store, snapshot=None):
    proxy = Proxy(a, work, store.port, snapshot=snapshot)
    wall = proxy.until(lambda source: source["following"])
    found = wall, proxy.cpu_s(), proxy.rss()
    return proxy, found


def load(a, work):
    apps, backends = a.keys // 10, a.keys * 3 // 10
    domains, port, store = a.keys - apps - backends, free_port(), Store(work)
    parts = [("nothing", 0, []), ("apps", apps, (app_key(i) for i in range(apps))), ("backends", backends, (backend_key(i, apps, port) for i in range(backends))),
             ("domains", domains, (domain_key(i, apps) for i in range(domains)))]
    before = 0
    for name, count, pairs in parts:
        store.fill(pairs)
        proxy, (wall, cpu, rss) = follow_once(a, work, store)
        print(f"{'with ' + name:15} {wall:6.1f} s wall {cpu:6.2f} s CPU {rss / 1e6:7.1f} MB" + (f"  {(rss - before) / count:6.0f} bytes for each of {count} {name}" if count else ""), flush=True)
        before = rss
        if name != "domains": proxy.end()
    print(f"{'the end':15} {proxy.end():6.1f} s wall")
    snapshot = f"{work}/snapshot"
    proxy, _ = follow_once(a, work, store, snapshot)
    proxy.until(lambda source: source["saved_at_ms"])
    proxy.end()
    store.end()
    proxy = Proxy(a, work, store.port, snapshot=snapshot)
    wall = proxy.until(lambda source: source["of_file"])
    print(f"{'from the file':15} {wall:6.1f} s wall {proxy.cpu_s():6.2f} s CPU {proxy.rss() / 1e6:7.1f} MB; the file has {os.path.getsize(snapshot) / 1e6:.1f} MB")
    proxy.end()


# ---------------------------------------------------------------- latency
def start_backend(a, port):
    backend = subprocess.Popen([build_tool(a.build, "backend"), str(port)])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try: socket.create_connection(("127.0.0.1", port), 1).close(); return backend
        except OSError: time.sleep(0.02)
    raise RuntimeError("the backend did not start")


class Client:
    def __init__(self, port):
        self.port = port
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask_one(self, name):
        """Its status; a page of the proxy's own may end the connection."""
        try: return self.ask([name])[0]
        except (OSError, RuntimeError): self.connect(); return 0

    def ask(self, names):
        """Statuses of requests for these hosts, one behind the other."""
        self.socket.sendall(b"".join(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode() for name in names))
        text, statuses = b"", []
        while len(statuses) < len(names):
            head, _, rest = text.partition(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
            if not _ or len(rest) < length:
                part = self.socket.recv(262144)
                if not part: raise RuntimeError(f"the proxy has closed a connection behind {statuses} {text[:300]}")
                text += part
                continue
            statuses.append(int(head[9:12]))
            text = rest[length:]
        return statuses


def fill(a, store, port):
    apps, backends = max(1, a.keys // 10), a.keys * 3 // 10
    store.fill(app_key(i) for i in range(apps))
    store.fill(backend_key(i, apps, port) for i in range(backends))
    store.fill(domain_key(i, apps) for i in range(a.keys - apps - backends))
    return apps


def latency(a, work):
    store, backend_port = Store(work), free_port()
    backend = start_backend(a, backend_port)
    try:
        fill(a, store, backend_port)
        proxy = Proxy(a, work, store.port, threads=2)
        proxy.until(lambda source: source["following"])
        clients, took = [Client(proxy.port) for _ in range(8)], []
        for i in range(a.changes):
            name, begin = f"new-{i}.example.com", time.monotonic()
            store.put(f"/weir/v1/domains/{name}", '{"app":"app-000000"}')
            for client in clients:
                while client.ask_one(name) != 200: pass
            took.append(1000 * (time.monotonic() - begin))
            time.sleep(0.01)
        took.sort()
        print(f"{a.keys} keys: from the put to an answer on all of {len(clients)} connections, {len(took)} times: p50 {statistics.median(took):.1f} ms,"
              f" p99 {took[len(took) * 99 // 100]:.1f} ms, most {took[-1]:.1f} ms")
        proxy.end()
    finally:
        backend.kill(); backend.wait()
        store.end()


# ---------------------------------------------------------------- lookups
class Changer(threading.Thread):
    """Puts weights of backends, each a revision, at a rate, while it may; `root` is /weir, or another one that nobody follows."""

    def __init__(self, store, rate, apps, port, seed):
        super().__init__(daemon=True)
        self.store, self.gap, self.apps, self.port, self.dice = store, 1 / rate, apps, port, random.Random(seed)
        self.root = "/weir"
        self.may, self.is_over, self.done, self.connection = threading.Event(), False, 0, store.connect()
        self.start()

    def run(self):
        while not self.is_over:
            self.may.wait(0.1)
            due = time.monotonic()
            while self.may.is_set() and not self.is_over:
                key, _ = backend_key(self.dice.randrange(self.apps), self.apps, self.port)
                self.store.put(self.root + key.removeprefix("/weir"), json.dumps({"addr": f"127.0.0.1:{self.port}", "weight": self.dice.randrange(50, 150)}), self.connection)
                self.done += 1
                due += self.gap
                time.sleep(max(0, due - time.monotonic()))


def one_round(proxy, client, a, domains, dice):
    """CPU for a request, of the loop and of the process, in microseconds."""
    loop, whole = proxy.cpu_s(proxy.process.pid), proxy.cpu_s()
    for _ in range(a.requests // 50):
        statuses = client.ask([host(dice.randrange(domains)) for _ in range(50)])
        if statuses != [200] * 50: raise RuntimeError(f"answers: {set(statuses)}")
    count = a.requests // 50 * 50
    return 1e6 * (proxy.cpu_s(proxy.process.pid) - loop) / count, 1e6 * (proxy.cpu_s() - whole) / count


def lookups(a, work):
    store, backend_port = Store(work), free_port()
    backend = start_backend(a, backend_port)
    changers = []
    try:
        apps = fill(a, store, backend_port)
        domains = a.keys - apps - a.keys * 3 // 10
        proxy = Proxy(a, work, store.port)
        proxy.until(lambda source: source["following"])
        client, dice, seen = Client(proxy.port), random.Random(1), {None: [], "/other": [], "/weir": []}
        changers = [Changer(store, a.rate / 4, apps, backend_port, seed) for seed in range(4)]
        for i in range(0, apps, 50): client.ask([host(i + k) for k in range(50)])  # none sleeps any more
        changes = busy_s = 0
        for number in range(a.rounds * len(seen)):
            root = list(seen)[number % len(seen)]
            for changer in changers: changer.root = root or "/weir"; changer.may.set() if root else changer.may.clear()
            time.sleep(0.3)
            before, begin = sum(changer.done for changer in changers), time.monotonic()
            seen[root].append(one_round(proxy, client, a, domains, dice))
            if root == "/weir": changes += sum(changer.done for changer in changers) - before; busy_s += time.monotonic() - begin
        for changer in changers: changer.is_over = True
        print(f"{a.keys} keys, {changes / busy_s:.0f} changes a second, {a.rounds} rounds of {a.requests} requests, CPU of the loop and of the process for each:")
        for root, what in ((None, "nothing changes"), ("/other", "keys that it does not follow"), ("/weir", "keys that it follows")):
            loop, whole = (statistics.median(column) for column in zip(*seen[root]))
            ratio = statistics.median(b[0] / q[0] for q, b in zip(seen[None], seen[root]))
            print(f"  {what:30} {loop:6.1f} {whole:6.1f} us   of the loop {ratio:.3f} of quiet")
        print(f"  both of the latter beside each other: {statistics.median(b[0] / q[0] for q, b in zip(seen['/other'], seen['/weir'])):.3f}")
        proxy.end()
    finally:
        for changer in changers: changer.is_over = True; changer.join(2)
        backend.kill(); backend.wait()
        store.end()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["load", "latency", "lookups"])
    p.add_argument("--weir", default=f"{ROOT}/build/release/weir")
    p.add_argument("--build", default=f"{ROOT}/build/bench")
    p.add_argument("--keys", type=int, default=1_000_000)
    p.add_argument("--changes", type=int, default=300)
    p.add_argument("--rate", type=int, default=1000)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--requests", type=int, default=20_000)
    a = p.parse_args()
    work = tempfile.mkdtemp(prefix="weir-state-")
    try:
        {"load": load, "latency": latency, "lookups": lookups}[a.what](a, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
