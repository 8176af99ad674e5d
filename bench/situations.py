#!/usr/bin/env python3
"""Who gets the request, and who is ill: the router `table` before backends that are slow, ill, cold or unequal, over sockets.

The situations, and the numbers that they are held against, are those of t/unit/situations.c, which asks the same with a clock
that is told. A proxy and two processes (tools/situations.c) are started for each, on free ports of the loopback, and end with it.
Standard library only.
"""
import argparse, json, os, re, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
MEAN_S, WARM_S = 0.05, 5
SEVEN = dict(backends=10, workers=8, timeout_ms=5000, load=0.6, quarantine=False)
FOUR = dict(backends=4, workers=8, timeout_ms=30000, load=0.5, quarantine=True)

# By the names of t/unit/situations.c; `mood` is the first backend's, while something is wrong: see tools/situations.c.
CASES = {
    "equal, load 0.9": dict(SEVEN, load=0.9),
    "2 workers each, 0.7": dict(SEVEN, workers=2, load=0.7),
    "half are 3x slower, 0.7": dict(SEVEN, load=0.7, slow=(5, 3)),
    "one 10x slower, 0.6": dict(SEVEN, mood="slow", times=10),
    "one answers 500 in 1 ms": dict(SEVEN, mood="fails"),
    "one hangs": dict(SEVEN, mood="hangs"),
    "a cold one joins, 0.7": dict(SEVEN, load=0.7, mood="cold"),
}
QUARANTINES = {
    "500s": dict(FOUR, mood="fails"),
    "hangs": dict(FOUR, mood="hangs"),
    "40 % 500s": dict(FOUR, mood="fails-sometimes"),
    "flaps 3 s/3 s": dict(FOUR, mood="fails", times=3),
    "well, 5 % own 500s": dict(FOUR, own=0.05),
    "well, 30 % own 500s": dict(FOUR, own=0.3),
}

CONF = """{user}num-threads: {threads}
listen:
  host: 127.0.0.1
  port: {port}
weir.first-byte-timeout: {timeout_ms}
weir.access-log: {log}
hosts:
  default:
    paths:
      /:
        weir.router:
          module: table
          apps:
            a:
              domains: [ "*" ]
              balance: {balance}
              quarantine: {quarantine}
              backends: [ {backends} ]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build_tool(folder):
    source, tool = f"{HERE}/tools/situations.c", f"{folder}/situations"
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(tool) or os.path.getmtime(tool) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O2", "-include", "stddef.h", "-o", tool, source, "-lm"], check=True)
    return tool


class Proxy:
    def __init__(self, weir, case, ports, work, a):
        self.case, self.ports, self.a, self.port = case, ports, a, free_port()
        self.conf, self.log = f"{work}/weir.conf", f"{work}/access.log"
        self.write(without_first=case.get("mood") == "cold")
        self.err = open(f"{work}/stderr", "wb")
        self.process = subprocess.Popen([weir, "run", "-c", self.conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err)
        self.wait()

    def write(self, without_first=False):
        names = [f'{{ at: "127.0.0.1:{p}", id: b{i} }}' for i, p in enumerate(self.ports)]
        text = CONF.format(user="user: root\n" if os.geteuid() == 0 else "", threads=self.a.threads, port=self.port,
                           timeout_ms=self.case["timeout_ms"], log=self.log, balance=self.a.balance,
                           quarantine="ON" if self.case["quarantine"] else "OFF", backends=", ".join(names[without_first:]))
        with open(self.conf + ".new", "w") as f: f.write(text)
        os.rename(self.conf + ".new", self.conf)

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"weir did not start: {open(self.err.name).read()[-500:]}")

    def reload(self):
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def trials(self):
        """How often the quarantine of a backend was over."""
        with open(self.log) as log: return sum(" pick=trial" in line for line in log)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try: self.process.wait(10)
            except subprocess.TimeoutExpired: self.process.kill()
        self.process.wait()
        self.err.close()


def rate_of(case):
    count, times = case.get("slow", (0, 1))
    there = case["backends"] - (case.get("mood") == "cold")
    return case["load"] * case["workers"] * (there - count + count / times) / MEAN_S


def run(case, seed, a, tool, work):
    """One run of a.seconds; what the client has counted."""
    wrong_from, wrong_for = a.seconds / 3, a.seconds * 2 / 3
    count, times = case.get("slow", (0, 1))
    backends = subprocess.Popen([tool, "backends", *map(str, (case["backends"], case["workers"], count, times, wrong_from, wrong_for,
                                                              case.get("mood", "well"), case.get("times", 0), case.get("own", 0), seed))],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    proxy = client = None
    try:
        proxy = Proxy(a.weir, case, list(map(int, backends.stdout.readline().split())), work, a)
        start = time.monotonic_ns() + 300_000_000
        backends.stdin.write(f"{start}\n"); backends.stdin.flush()
        client = subprocess.Popen([tool, "client", *map(str, (proxy.port, start, a.seconds, rate_of(case), WARM_S, wrong_from, wrong_for, seed))],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if case.get("mood") == "cold":
            time.sleep(max(0, start / 1e9 + wrong_from - time.monotonic()))
            proxy.reload()
        out, _ = client.communicate(timeout=a.seconds + 60)
        proxy.stop()
        return dict(json.loads(out), trials=proxy.trials())
    finally:
        if client and client.poll() is None: client.kill()
        backends.stdin.close()
        if proxy: proxy.stop()
        try: backends.wait(5)
        except subprocess.TimeoutExpired: backends.kill()


def run_quietly(case, seed, a, tool):
    """The same, again if other programs held the client up; the quietest one counts."""
    best = None
    for _ in range(1 + a.retries):
        with tempfile.TemporaryDirectory(prefix="weir-situations-") as work:
            result = run(case, seed, a, tool, work)
        best = result if best is None or result["latest_ms"] < best["latest_ms"] else best
        if best["latest_ms"] <= a.late: break
    return best


def told(runs):
    """The tables of t/unit/situations, by situation: (simulated, with a clock that is told); {}: it is not built."""
    for preset in ("release", "asan"):
        program = f"{ROOT}/build/{preset}/t/unit/situations"
        if os.access(program, os.X_OK):
            out = subprocess.run([program], env={**os.environ, "WEIR_SITUATIONS": str(runs)}, capture_output=True, text=True, timeout=900).stdout
            rows = [[c.strip() for c in l[2:].strip("| ").split("|")] for l in out.splitlines() if l.startswith("# |")]
            return {r[0]: (r[1], r[2] if len(r) == 3 else f"{r[2]} ({r[4].split()[0]})") for r in rows}
    print("# build/release/t/unit/situations is missing: cmake --build build/release --target unit_situations", file=sys.stderr)
    return {}


def percent(part, whole): return 100 * part / whole if whole else 0


def cell(case, results):
    part = [r["meanwhile" if case.get("mood") else "always"] for r in results]
    mid = lambda key: statistics.median(p[key] for p in part)
    total = lambda key: sum(p[key] for p in part)
    if case["quarantine"]:
        return f'{percent(total("failed_later"), total("all_later")):.2f} % ({sum(r["trials"] for r in results) / len(results):.1f})'
    return f'{mid("p50_ms"):.0f}/{mid("p99_ms"):.0f}/{mid("p999_ms"):.0f} e{percent(total("failed"), total("all")):.2f} %'


def table(cases, heading, names, a, tool):
    known = told(a.told_runs) if a.told_runs else {}
    print(f"\n| {heading} | simulated | built, told time | built, sockets |\n|---|---|---|---|", flush=True)
    for name in names:
        results = [run_quietly(cases[name], seed, a, tool) for seed in range(1, a.runs + 1)]
        simulated, clock = known.get(name, ("–", "–"))
        print(f"| {name} | {simulated} | {clock} | {cell(cases[name], results)} |", flush=True)
        latest = max(r["latest_ms"] for r in results)
        if latest > a.late or any(r["unanswered"] for r in results):
            print(f"# {name}: the client was {latest:.0f} ms late at worst, {sum(r['unanswered'] for r in results)} requests without an end", file=sys.stderr)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--weir", default=f"{ROOT}/build/release/weir")
    ap.add_argument("--seconds", type=float, default=30, help="of each run; something is wrong in the last two thirds; default %(default)s")
    ap.add_argument("--runs", type=int, default=1, help="of each situation; default %(default)s")
    ap.add_argument("--told-runs", type=int, default=5, help="of the same with a clock that is told; 0: none; default %(default)s")
    ap.add_argument("--threads", type=int, default=2, help="of the proxy; default %(default)s")
    ap.add_argument("--retries", type=int, default=2, help="repeat a run disturbed by other programs; the quietest counts; default %(default)s")
    ap.add_argument("--late", type=float, default=100, help="ms that the client may be late at worst, else the run was disturbed; default %(default)s")
    ap.add_argument("--balance", default="best")
    ap.add_argument("--only", help="a regular expression: situations with such a name")
    ap.add_argument("--quarantines", action="store_true", help="the table of quarantines, too")
    ap.add_argument("--build", default=f"{ROOT}/build/bench")
    a = ap.parse_args()
    if not os.access(a.weir, os.X_OK): ap.error(f"{a.weir} is missing: cmake --preset release && cmake --build build/release")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    tool = build_tool(a.build)
    wanted = lambda cases: [n for n in cases if not a.only or re.search(a.only, n)]
    if wanted(CASES): table(CASES, "p50/p99/p99.9 ms, e: errors", wanted(CASES), a, tool)
    if a.quarantines and wanted(QUARANTINES): table(QUARANTINES, "errors behind the first second (quarantines; with sockets: that have ended)", wanted(QUARANTINES), a, tool)


if __name__ == "__main__":
    main()
