#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What backends that dial in cost the proxy, beside the same server listening as a backend of h2c.

    bench/workers.py                            CPU of a request, memory of a connection, 10,000 requests at once: half a minute
    bench/workers.py --only cpu --rounds 31     one of them: cpu, memory, flight, ways
    bench/workers.py --weir build/other/weir

CPU: wrk asks for a second through a worker, through a backend, and through a worker whose requests are all handed over (`hand-over: always`),
in turn; all are one process of tools/worker.c. The proxies have one CPU, everybody else has another one.
Ways: what a request costs that comes to another loop than its worker's connection (docs/decisions/0027): proxies of two loops, and their
backend, their worker with one connection, with one for each loop, and with HTTP/2 between two proxies, whose CPU is added up.
Free ports of the loopback; ends what it starts. Standard library, gcc, libnghttp2, wrk and h2load.
"""
import argparse, os, re, resource, statistics, subprocess, tempfile, time
from admin import HERE, ROOT, free_port

IDLE, FLIGHT, CONNECTIONS, DELAY_MS = 1024, 10000, 4, 2000
CONFIG = """{user}num-threads: {threads}
listen: [ {{ host: 127.0.0.1, port: {port} }}, {{ type: unix, port: "{unix}" }} ]
weir.access-log: OFF
weir.watchdog: 0
weir.workers: {{ listen: "127.0.0.1:{workers}", auth: none, hand-over: {hand_over}, registrations-per-second: 100000 }}
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            dialled: {{ domains: [ {dialled} ], backends: [ "{backend}" ], protocol: h2c }}
            dialling: {{ domains: [ {dialling} ], workers: {{ max-connections: 2000 }}, hold: 10000 }}
"""


def on_cpu(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


class World:
    """Processes that end with the block."""

    def __init__(self, a):
        self.a, self.processes = a, []
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpu, self.other_cpu = cpus[0], cpus[-1]

    def __enter__(self):
        self.work = tempfile.TemporaryDirectory(prefix="weir-workers-")
        return self

    def __exit__(self, *_):
        for process in self.processes[::-1]: process.terminate() # workers first
        for process in self.processes: process.wait()
        self.work.cleanup()

    def start(self, words, cpu, **option):
        self.processes.append(subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, preexec_fn=on_cpu(cpu), **option))
        return self.processes[-1]

    def worker(self, port, dial, connections, capacity, delay):
        process = self.start([worker_tool(self.a.build), port, dial, "dialling", connections, capacity, delay], self.other_cpu, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n": raise SystemExit("the worker does not work")
        return process

    def run(self, *words):
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, check=True, preexec_fn=on_cpu(self.other_cpu)).stdout


class Proxy:
    def __init__(self, world, backend="127.0.0.1:1", hand_over="needed", threads=1, dialling="dialling.test"):
        self.world, self.port, self.workers = world, free_port(), free_port()
        path, self.unix = f"{world.work.name}/{self.port}.yaml", f"{world.work.name}/{self.port}.sock"
        with open(path, "w") as f:
            f.write(CONFIG.format(user="user: root\n" if os.geteuid() == 0 else "", backend=backend, threads=threads, hand_over=hand_over, port=self.port, workers=self.workers, unix=self.unix, dialling=dialling, dialled="dialled.test" if dialling != "dialled.test" else "other.test"))
        self.process = world.start([world.a.weir, "run", "-c", path], world.proxy_cpu, stdout=subprocess.DEVNULL, stderr=open(f"{path}.err", "wb"))
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            if is_open(self.port) and is_open(self.workers): return
            time.sleep(0.02)
        raise SystemExit(f"weir does not serve: {open(path + '.err').read()[-500:]}")

    def cpu_us(self):
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks)) / 1000

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm") as f: return int(f.read().split()[1]) * resource.getpagesize()

    def load(self, host, beside=()):
        before = self.cpu_us() + sum(other.cpu_us() for other in beside)
        out = self.world.run("wrk", "-t1", "-c64", "-d1s", "-H", f"Host: {host}", f"http://127.0.0.1:{self.port}/")
        if "Non-2xx" in out or "Socket errors" in out: raise SystemExit(f"{host}: {out}")
        return (self.cpu_us() + sum(other.cpu_us() for other in beside) - before) / int(re.search(r"(\d+) requests in", out).group(1))


def is_open(port):
    """Whether somebody listens there, without knocking."""
    with open("/proc/net/tcp") as f: return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in f.readlines()[1:])


def worker_tool(folder):
    source, tool = f"{HERE}/tools/worker.c", f"{folder}/worker"
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(tool) or os.path.getmtime(tool) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O2", "-include", "stddef.h", "-o", tool, source, "-lnghttp2"], check=True)
    return tool


def verdict(is_met):
    return "met" if is_met else "**missed**"


def loads(a, kinds):
    """Microseconds of each kind: (name, proxy, host, proxies whose CPU counts besides), in turn."""
    costs = {name: [] for name, *_ in kinds}
    for _, it, host, *_ in kinds: it.load(host)
    for n in range(a.rounds):
        for name, it, host, *beside in kinds if n % 2 == 0 else kinds[::-1]: costs[name].append(it.load(host, beside))
    return costs


def ratio(these, those):
    return f"{statistics.median(one / other for one, other in zip(these, those)):.3f}"


def cpu(a):
    with World(a) as world:
        port = free_port()
        proxy = Proxy(world, f"127.0.0.1:{port}")
        handing = Proxy(world, hand_over="always")
        world.worker(port, proxy.workers, 1, 1000, 0)
        world.worker(0, handing.workers, 1, 1000, 0)
        costs = loads(a, [("backend", proxy, "dialled.test"), ("worker", proxy, "dialling.test"), ("handed", handing, "dialling.test")])
    us = {name: statistics.median(each) for name, each in costs.items()}
    here, handed = ratio(costs["worker"], costs["backend"]), ratio(costs["handed"], costs["backend"])
    yield f"CPU of a GET by a worker to that by a backend ({us['worker']:.1f} us, {us['backend']:.1f} us)", "<= 1.10", here, float(here) <= 1.10
    yield f"handed over to by a backend ({us['handed']:.1f} us)", "<= 1.40", handed, float(handed) <= 1.40


def ways(a):
    with World(a) as world:
        port = free_port()
        one = Proxy(world, f"127.0.0.1:{port}", threads=2)
        each = Proxy(world, threads=2)
        inner = Proxy(world, dialling="dialled.test")
        outer = Proxy(world, f"unix:{inner.unix}")
        world.worker(port, one.workers, 1, 1000, 0)
        world.worker(0, each.workers, 8, 1000, 0) # on both loops, as far as the kernel has dealt them so
        world.worker(0, inner.workers, 1, 1000, 0)
        kinds = [("backend", one, "dialled.test"), ("letters", one, "dialling.test"), ("each", each, "dialling.test"), ("HTTP/2", outer, "dialled.test", inner)]
        costs = loads(a, kinds)
    us = {name: statistics.median(of) for name, of in costs.items()}
    letters = ratio(costs["letters"], costs["backend"])
    yield f"two loops: by a worker with one connection to by a backend ({us['letters']:.1f} us, {us['backend']:.1f} us)", "<= 1.40", letters, float(letters) <= 1.40
    yield f"two loops: by a worker with connections on both to by a backend ({us['each']:.1f} us)", "", ratio(costs["each"], costs["backend"]), True
    yield f"two proxies of one loop, HTTP/2 between them, to by a backend ({us['HTTP/2']:.1f} us)", "", ratio(costs["HTTP/2"], costs["backend"]), True


def memory(a):
    with World(a) as world:
        proxy = Proxy(world)
        world.worker(0, proxy.workers, 1, 100, 0)
        proxy.load("dialling.test")
        before = proxy.resident()
        world.worker(0, proxy.workers, IDLE, 100, 0)
        last = 0
        while last != proxy.resident(): # until SETTINGS and their ACKs are through
            last = proxy.resident()
            time.sleep(0.5)
        each = (last - before) / IDLE / 1024
    yield f"resident KiB of an idle worker's connection, of {IDLE}", "< 24", f"{each:.1f}", each < 24


def flight(a):
    with World(a) as world:
        proxy = Proxy(world)
        worker = world.worker(0, proxy.workers, CONNECTIONS, FLIGHT // CONNECTIONS, DELAY_MS)
        out = world.run("h2load", "-n", FLIGHT, "-c", FLIGHT // 100, "-m", 100, "-H", ":authority: dialling.test", f"http://127.0.0.1:{proxy.port}/")
        answered = int(re.search(r"status codes: (\d+) 2xx", out).group(1))
        seconds = re.search(r"finished in ([^,]*)", out).group(1)
        worker.terminate()
        at_once = int(worker.stdout.readline())
    yield f"of {FLIGHT} requests over {CONNECTIONS} connections, answered after {DELAY_MS / 1000:.0f} s; {at_once} at once, all in {seconds}", str(FLIGHT), str(answered), answered == FLIGHT


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--weir", default=f"{ROOT}/build/release/weir")
    ap.add_argument("--build", default=f"{ROOT}/build/bench")
    ap.add_argument("--only", choices=["cpu", "memory", "flight", "ways"], action="append")
    ap.add_argument("--rounds", type=int, default=11, help="seconds of load of each kind; default %(default)s")
    a = ap.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    all_met = True
    print("| what | wanted | measured | |\n|---|---|---|---|")
    for kind in (cpu, memory, flight, ways):
        if a.only and kind.__name__ not in a.only: continue
        for what, wanted, measured, is_met in kind(a):
            print(f"| {what} | {wanted} | {measured} | {verdict(is_met) if wanted else ''} |", flush=True)
            all_met = all_met and is_met
    return 0 if all_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
