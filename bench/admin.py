#!/usr/bin/env python3
"""What operators cost clients, and whether what is counted is what is logged: the router `table` and its admin endpoint, over sockets.

    bench/admin.py admin-changes     changes while clients are served: how many a second, and what p99 of requests comes to
    bench/admin.py metrics-sum       a million mixed requests: weir_requests_total by status and reason, and the lines of the access log

A proxy, a backend (tools/backend.c) and clients (tools/olc.c, h2load) are started for each, on free ports of the loopback, and end with it.
Standard library only.
"""
import argparse, collections, json, os, re, shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, threading, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BATCH, PIPELINED, CALLERS, APPS = 100, 10, 4, 100


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build_tool(folder, name):
    source, tool = f"{HERE}/tools/{name}.c", f"{folder}/{name}"
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(tool) or os.path.getmtime(tool) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O2", "-include", "stddef.h", "-o", tool, source], check=True)
    return tool


class World:
    """A backend and a proxy before it; both end with the block."""

    def __init__(self, a, apps, threads=1, log="OFF"):
        self.work = tempfile.mkdtemp(prefix="weir-admin-")
        self.port, self.backend_port, self.admin = free_port(), free_port(), f"{self.work}/admin.sock"
        conf = f"""{'user: root' if os.geteuid() == 0 else ''}
num-threads: {threads}
listen: {{ host: 127.0.0.1, port: {self.port} }}
weir.access-log: {log.format(work=self.work)}
weir.admin: {{ path: {self.admin} }}
hosts:
  default:
    paths:
      /metrics: {{ weir.metrics: ON }}
      /:
        weir.router:
          module: table
          apps: {json.dumps(apps(self.backend_port))}
"""
        with open(f"{self.work}/weir.conf", "w") as f: f.write(conf)
        self.err = open(f"{self.work}/stderr", "wb")
        self.processes = [subprocess.Popen([build_tool(a.build, "backend"), str(self.backend_port)]),
                          subprocess.Popen([a.weir, "run", "-c", f"{self.work}/weir.conf"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err)]

    def __enter__(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.processes[1].poll() is None:
            try:
                for port in (self.backend_port, self.port): socket.create_connection(("127.0.0.1", port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        said = open(self.err.name).read()[-500:]
        self.__exit__()
        raise RuntimeError(f"weir did not start: {said}")

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try: process.wait(40)
            except subprocess.TimeoutExpired: process.kill(); process.wait()
        self.err.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def call(self, method, path, body=b""):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.admin)
            s.sendall(request(method, path, body))
            return s.recv(65536)


def request(method, path, body):
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


# ---------------------------------------------------------------- admin-changes
class Changer(threading.Thread):
    """Changes weights on one connection that stays, at a rate: in each step a list of them, or single ones, some on their way at once."""

    def __init__(self, world, rate, members, in_lists, seed):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(world.admin)
        self.unit = BATCH if in_lists else PIPELINED
        self.gap, self.members, self.in_lists, self.at = self.unit / rate, members, in_lists, seed * 7919
        self.done = 0
        self.is_over = False

    def one(self):
        self.at += 1
        return f"/apps/a{self.at % APPS}/backends/b{self.at // APPS % self.members}", {"weight": self.at % 99 + 1}

    def step(self):
        some = [self.one() for _ in range(self.unit)]
        if self.in_lists:
            body = json.dumps([{"op": "patch", "path": path, "value": value} for path, value in some]).encode()
            self.socket.sendall(request("POST", "/v1/changes", body))
            return self.read(1)
        self.socket.sendall(b"".join(request("PATCH", f"/v1{path}", json.dumps(value).encode()) for path, value in some))
        return self.read(self.unit)

    def read(self, answers):
        """Until so many chunked or measured answers are there; all must be 200."""
        left = b""
        while answers > 0:
            more = self.socket.recv(262144)
            if not more: raise RuntimeError("the endpoint has closed the connection")
            left += more
            while True:
                head, found, rest = left.partition(b"\r\n\r\n")
                if not found: break
                if not head.startswith(b"HTTP/1.1 200"): raise RuntimeError(head[:200])
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                size = int(length.group(1)) if length else rest.find(b"0\r\n\r\n") + 5
                if len(rest) < size or size < 5: break
                left, answers = rest[size:], answers - 1

    def run(self):
        # callers are elsewhere as a rule: here they take no time from the proxy, its backend and its clients
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        due = time.monotonic()
        while not self.is_over:
            self.step()
            self.done += self.unit
            due += self.gap
            pause = due - time.monotonic()
            if pause > 0: time.sleep(pause)
            due = max(due, time.monotonic() - 0.2)


def cpu_us(pid):
    with open(f"/proc/{pid}/stat") as f: fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def part(world):
    """Requests have one CPU, with their clients and their backend; changes and those who make them have the others. So p99 tells what changes
    do to requests in the proxy, and not who waits for a CPU."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2: return "all on one CPU"
    backend, weir = (p.pid for p in world.processes)
    for pid in [backend, weir]:
        for tid in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(tid), cpus[:1] if int(tid) in (backend, weir) else cpus[1:])
    os.sched_setaffinity(0, cpus[1:])
    return f"requests on CPU {cpus[0]}, changes on {', '.join(map(str, cpus[1:]))}"


def load(world, a):
    """What the clients have counted, and the CPU time of the proxy meanwhile."""
    before = cpu_us(world.processes[1].pid)
    out = subprocess.run([build_tool(a.build, "olc"), str(world.port), str(a.load), str(a.seconds), "32", "/", "a0.test"], check=True, capture_output=True, text=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, os.sched_getaffinity(world.processes[0].pid)))
    return dict(json.loads(out.stdout), cpu_us=cpu_us(world.processes[1].pid) - before)


def under_changes(world, a, in_lists):
    changers = [Changer(world, a.rate / CALLERS, a.members, in_lists, seed) for seed in range(CALLERS)]
    began = time.monotonic()
    for c in changers: c.start()
    result = load(world, a)
    seconds = time.monotonic() - began
    for c in changers: c.is_over = True
    for c in changers: c.join(10)
    return dict(result, seconds=seconds, changes=sum(c.done for c in changers) / seconds)


def admin_changes(a):
    apps = lambda port: {f"a{n}": {"domains": [f"a{n}.test"], "backends": [{"at": f"127.0.0.1:{port}", "id": f"b{m}"} for m in range(a.members)]} for n in range(APPS)}
    kinds = {"quiet": None, f"lists of {BATCH}": True, "single": False}
    rows = collections.defaultdict(list)
    with World(a, apps) as world:
        where = part(world)
        load(world, argparse.Namespace(**{**vars(a), "seconds": 1}))
        for round_ in range(a.rounds):
            order = list(kinds)
            for kind in order[round_ % 3:] + order[:round_ % 3]:
                rows[kind].append(load(world, a) if kind == "quiet" else under_changes(world, a, kinds[kind]))
                print(f"# {round_} {kind}: {json.dumps(rows[kind][-1])}", file=sys.stderr, flush=True)
    mid = lambda kind, key: statistics.median(r.get(key, 0) for r in rows[kind])
    print(f"{a.load} requests/s, {a.rate} changes/s wanted, {a.rounds} rounds of {a.seconds} s, medians; {where}\n")
    print("| changes | a second | CPU of one | p50 | p99 | p99.9 | p99 to quiet | failed |\n|---|---|---|---|---|---|---|---|")
    for kind in kinds:
        ratio = statistics.median(r["p99_us"] / q["p99_us"] for r, q in zip(rows[kind], rows["quiet"]))
        each = statistics.median((r["cpu_us"] - q["cpu_us"]) / (r.get("changes", 0) * r.get("seconds", 1) or 1) for r, q in zip(rows[kind], rows["quiet"]))
        print(f"| {kind} | {mid(kind, 'changes'):.0f} | {each:.0f} us | {mid(kind, 'p50_us'):.0f} us | {mid(kind, 'p99_us'):.0f} us | {mid(kind, 'p999_us'):.0f} us | "
              f"{ratio:.2f} | {sum(r['errors'] for r in rows[kind])} |")


# ---------------------------------------------------------------- metrics-sum
def h2load(port, count, paths, is_h2):
    uris = [f"http://127.0.0.1:{port}{path}" for path in paths]
    flags = ["-m", "20"] if is_h2 else ["--h1"]
    out = subprocess.run(["h2load", "-n", str(count), "-c", "20", *flags, *uris], check=True, capture_output=True, text=True).stdout
    done = re.search(r"(\d+) total, \d+ started, (\d+) done", out)
    if not done or done.group(1) != done.group(2): raise RuntimeError(out[-800:])
    return count


def raw(port, count, bytes_, is_reset=False):
    """Heads that are none, or requests whose client goes away before there is an answer."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            if is_reset: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(bytes_)
            if is_reset: time.sleep(0.002)
            else: s.recv(4096)
    return count


def counted(world):
    text = urllib.request.urlopen(f"http://127.0.0.1:{world.port}/metrics", timeout=20).read().decode()
    lost = sum(int(n) for n in re.findall(r"^weir_log_dropped_total\S* (\d+)", text, re.M))
    return lost, collections.Counter({(s, r): int(n) for s, r, n in re.findall(r'^weir_requests_total\{status="([^"]*)",reason="([^"]*)"\} (\d+)', text, re.M) if int(n)})


def logged(world):
    lines = collections.Counter()
    with open(f"{world.work}/access.log", errors="replace") as log:
        for line in log:
            status, code = re.search(r" status=(\d*)", line).group(1), re.search(r" code=([a-z0-9_]*)", line)
            lines["none" if not status else "499" if status == "499" else status[0] + "xx", code.group(1) if code else ""] += 1
    return lines


def metrics_sum(a):
    silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
    refusing = socket.socket(); refusing.bind(("127.0.0.1", 0))
    def apps(port):
        at = lambda number: f"127.0.0.1:{number}"
        app = lambda path, number: dict(domains=[f"127.0.0.1{path}"], backends=[at(number)], quarantine="OFF")
        return {"well": app("", port), "dead": app("/dead", refusing.getsockname()[1]), "silent": app("/silent", silent.getsockname()[1]), "stopped": app("/stopped", port)}
    statuses = ["/", "/s/200", "/s/201", "/s/301", "/s/404", "/s/500", "/s/503", "/b/1000"]
    part = lambda share: int(a.requests * share)
    with World(a, apps, threads=2, log="{work}/access.log") as world:
        world.call("POST", "/v1/apps/stopped/stop")
        made = raw(world.port, part(0.002), b"GET / HTTP/9.9\r\n\r\n") + raw(world.port, part(0.002), b"GET /silent HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", is_reset=True)
        made += raw(world.port, part(0.001), b"GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n")
        for is_h2 in (False, True):
            for path in ("/dead", "/stopped"): made += h2load(world.port, part(0.04), [path], is_h2)
            made += h2load(world.port, part(0.3), statuses, is_h2)
        made += h2load(world.port, a.requests - made, statuses, True)
        for _ in range(100):
            lost, requests = counted(world)
            lines = logged(world) if sum(requests.values()) >= made else {}
            if lines == requests: break
            time.sleep(0.3)
    print(f"{made} requests made, {sum(requests.values())} counted, {sum(lines.values())} lines, {lost} lines lost\n")
    print("| status | reason | weir_requests_total | lines |\n|---|---|---|---|")
    for key in sorted(set(requests) | set(lines)): print(f"| {key[0]} | {key[1]} | {requests[key]} | {lines[key]} |")
    return 0 if lines == requests and sum(lines.values()) == made and not lost else 1


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=("admin-changes", "metrics-sum"))
    ap.add_argument("--weir", default=f"{ROOT}/build/release/weir")
    ap.add_argument("--build", default=f"{ROOT}/build/bench")
    ap.add_argument("--rate", type=int, default=10000, help="changes a second; default %(default)s")
    ap.add_argument("--members", type=int, default=10, help="backends of each app; default %(default)s")
    ap.add_argument("--load", type=int, default=2000, help="requests a second; default %(default)s")
    ap.add_argument("--seconds", type=int, default=5, help="of each run; default %(default)s")
    ap.add_argument("--rounds", type=int, default=5, help="of each kind, in turn; default %(default)s")
    ap.add_argument("--requests", type=int, default=1000000, help="of metrics-sum; default %(default)s")
    a = ap.parse_args()
    if not os.access(a.weir, os.X_OK): ap.error(f"{a.weir} is missing: cmake --preset release && cmake --build build/release")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    sys.exit(metrics_sum(a) if a.what == "metrics-sum" else admin_changes(a))


if __name__ == "__main__":
    main()
