#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One-second GET loads of two or more builds or configurations in turn, so that a noisy machine is noisy for all of them.

    bench/pairs.py --seen                       what metrics, traces of 1 % and the watchdog cost
    bench/pairs.py BASE WEIR …                  builds of Weir beside each other; ratios are to the first
    bench/pairs.py WEIR WEIR+more.yaml          the same one with more in its configuration, at the global level

All of them serve at the same time, on one CPU, and are asked one by one; CPU time of the process by request. Free ports of the loopback;
ends by itself. Standard library and wrk only.
"""
import argparse, os, re, socket, statistics, subprocess, tempfile, time
from admin import ROOT, build_tool, free_port

QUIET = "weir.watchdog: 0\n"
SEEN = "weir.watchdog: 100\nweir.metrics: 127.0.0.1:@FREE@\nweir.trace: { sample: 0.01, export: \"http://127.0.0.1:9/\" }\n"
CONFIG = """{user}num-threads: 1
listen: {{ host: 127.0.0.1, port: {port} }}
weir.access-log: OFF
{more}hosts:
  default: {{ paths: {{ /: {{ weir.router: {{ module: table, apps: {{ app: {{ domains: [ "*" ], backends: [ "127.0.0.1:{backend}" ] }} }} }} }} }} }}
"""


def on_cpu(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


class Proxy:
    def __init__(self, work, name, program, more, backend, cpu):
        self.name, self.port, self.costs = name, free_port(), []
        path = f"{work}/{self.port}.yaml"
        with open(path, "w") as f:
            f.write(CONFIG.format(user="user: root\n" if os.geteuid() == 0 else "", port=self.port, more=more.replace("@FREE@", str(free_port())), backend=backend))
        self.process = subprocess.Popen([program, "run", "-c", path], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=on_cpu(cpu))

    def wait(self):
        for _ in range(500):
            try: return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError: time.sleep(0.02)
        raise SystemExit(f"{self.name} does not serve")

    def cpu_us(self):
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks)) / 1000

    def load(self, seconds, cpu):
        before = self.cpu_us()
        out = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"], capture_output=True, text=True, check=True, preexec_fn=on_cpu(cpu)).stdout
        return (self.cpu_us() - before) / int(re.search(r"(\d+) requests in", out).group(1))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", nargs="*", help="PROGRAM or PROGRAM+FILE")
    ap.add_argument("--seen", action="store_true")
    ap.add_argument("--weir", default=f"{ROOT}/build/release/weir")
    ap.add_argument("--build", default=f"{ROOT}/build/bench")
    ap.add_argument("--rounds", type=int, default=50, help="default %(default)s")
    a = ap.parse_args()
    some = [("without", a.weir, QUIET), ("with", a.weir, SEEN)] if a.seen else [
        (it, it.split("+")[0], open(it.split("+")[1]).read() if "+" in it else "") for it in a.what]
    if len(some) < 2: ap.error("two of them, or --seen")
    cpus = sorted(os.sched_getaffinity(0))
    backend_port, started = free_port(), []
    with tempfile.TemporaryDirectory() as work:
        backend = subprocess.Popen([build_tool(a.build, "backend"), str(backend_port)], preexec_fn=on_cpu(cpus[-1]))
        try:
            for it in some: started.append(Proxy(work, *it, backend_port, cpus[0]))
            for proxy in started:
                proxy.wait()
                proxy.load(1, cpus[-1])
            for n in range(a.rounds):
                for proxy in started if n % 2 == 0 else started[::-1]: proxy.costs.append(proxy.load(1, cpus[-1]))
        finally:
            for process in [backend, *(p.process for p in started)]: process.terminate()
            for process in [backend, *(p.process for p in started)]: process.wait()
    first = started[0].costs
    print(f"CPU of a GET in us, {a.rounds} rounds of 1 s\n\n| | least | quartile | median | to the first: least | pairs, median |\n|---|---|---|---|---|---|")
    for proxy in started:
        costs = sorted(proxy.costs)
        pairs = statistics.median(one / other for one, other in zip(proxy.costs, first))
        print(f"| {proxy.name} | {costs[0]:.1f} | {costs[len(costs) // 4]:.1f} | {statistics.median(costs):.1f} | {costs[0] / min(first):.3f} | {pairs:.3f} |")


if __name__ == "__main__":
    main()
