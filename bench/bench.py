#!/usr/bin/env python3
"""Weir and other HTTP reverse proxies, side by side on one machine.

Every proxy is described by a JSON file (see README.md and peers/*.json); the
proxy under test is described by one more such file, or by --cmd/--template.
Figures are proxy CPU per unit of work first (utime+stime of the whole process
tree), throughput and latency second.  Standard library only.
"""
import argparse, json, os, platform, re, resource, shlex, shutil, signal, socket, statistics
import subprocess, sys, time, tempfile, datetime

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

# ---------------------------------------------------------------- processes
NICE = 0
def cpus(cpu):
    def f():
        os.sched_setaffinity(0, {cpu})
        if NICE:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
            try: open("/proc/self/autogroup", "w").write(str(NICE))   # with autogroups nice counts per session
            except OSError: pass
    return f

def tree(root):
    kids = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                s = open(f"/proc/{d}/stat").read()
            except OSError:
                continue
            ppid = int(s[s.rindex(")") + 2:].split()[1])
            kids.setdefault(ppid, []).append(int(d))
    out, todo = [], [root]
    while todo:
        p = todo.pop()
        out.append(p)
        todo += kids.get(p, [])
    return out

def cpu_us(pids, which=(11, 12)):
    """utime+stime of the processes, all threads, in microseconds"""
    t = 0
    for p in pids:
        try:
            s = open(f"/proc/{p}/stat").read()
        except OSError:
            continue
        f = s[s.rindex(")") + 2:].split()
        t += sum(int(f[i]) for i in which)
    return t * 1e6 / TICK

def core_busy_us(cpu):
    for line in open("/proc/stat"):
        f = line.split()
        if f[0] == f"cpu{cpu}":
            v = list(map(int, f[1:9]))
            return (sum(v) - v[3] - v[4]) * 1e6 / TICK     # all but idle, iowait
    return 0

def rss_kb(pids):
    rss = anon = 0
    for p in pids:
        try:
            for l in open(f"/proc/{p}/status"):
                if l.startswith("VmRSS:"): rss += int(l.split()[1])
                elif l.startswith("RssAnon:"): anon += int(l.split()[1])
        except OSError:
            pass
    return rss, anon

# ---------------------------------------------------------------- templates
def render(text, v, hosts_iter):
    out, stack = [], []
    for line in text.split("\n"):
        m = re.match(r"^%(if|else|endif|hosts)\b ?(.*)$", line)
        if m and m.group(1) == "if":
            stack.append(bool(v.get(m.group(2).strip()))); continue
        if m and m.group(1) == "else":
            stack[-1] = not stack[-1]; continue
        if m and m.group(1) == "endif":
            stack.pop(); continue
        if not all(stack):
            continue
        if m and m.group(1) == "hosts":
            t = subst(m.group(2).replace("\\n", "\n"), v)
            out.extend(t.replace("@HOST@", h) for h in hosts_iter())
            continue
        out.append(subst(line, v))
    return "\n".join(out)

def subst(s, v):
    return re.sub(r"@([A-Z0-9_]+)@", lambda m: str(v[m.group(1)]) if m.group(1) in v else m.group(0), s)

# ---------------------------------------------------------------- a proxy
class Peer:
    def __init__(self, spec, base_dir, idx, env):
        self.s, self.dir, self.env, self.idx = spec, base_dir, env, idx
        self.name = spec["name"]
        self.port = env.base_port + 10 * (idx + 1)
        if spec["cmd"] is None:
            self.port = env.backend_port
        self.tls_port, self.tls_rsa_port, self.h2c_port = self.port + 1, self.port + 2, self.port + 3
        self.proc = None

    def can(self, sc):
        if sc.name in self.s.get("skip", []): return False
        if "only" in self.s and sc.name not in self.s["only"]: return False
        return all(x in self.s.get("supports", ["http"]) for x in sc.needs)

    def write_conf(self, work, flags, gen):
        e = self.env
        nh = flags.get("hosts", 0)
        def hosts():
            for i in range(1, nh + 1): yield f"h{i}.example.com"
            yield f"gen{gen}.example.com"
        v = dict(ROOT=ROOT, IS_ROOT="1" if os.geteuid() == 0 else "", PORT=self.port, TLS_PORT=self.tls_port, TLS_RSA_PORT=self.tls_rsa_port,
                 H2C_PORT=self.h2c_port, H2C="1" if flags.get("h2c") else "",
                 BACKEND_PORT=e.backend_port, WORK=work, CONF=f"{work}/conf", TOOLS=e.build,
                 CERT_ECDSA=f"{e.build}/ecdsa.crt", KEY_ECDSA=f"{e.build}/ecdsa.key", PEM_ECDSA=f"{e.build}/ecdsa.pem",
                 CERT_RSA=f"{e.build}/rsa.crt", KEY_RSA=f"{e.build}/rsa.key", PEM_RSA=f"{e.build}/rsa.pem",
                 LOG=f"{work}/access.log" if flags.get("log") else "", TLS="1" if flags.get("tls") else "",
                 HOSTS=str(nh) if nh else "", HOSTS_FILE=f"{work}/hosts", GEN=str(gen))
        v.update(self.s.get("vars", {}))
        if nh:
            fmt = self.s.get("hosts_file_line", "@HOST@")
            with open(v["HOSTS_FILE"] + ".tmp", "w") as f:
                for h in hosts(): f.write(fmt.replace("@HOST@", h) + "\n")
            os.rename(v["HOSTS_FILE"] + ".tmp", v["HOSTS_FILE"])
        if self.s.get("template"):
            text = open(os.path.join(self.dir, self.s["template"])).read()
            with open(v["CONF"] + ".tmp", "w") as f: f.write(render(text, v, hosts))
            os.rename(v["CONF"] + ".tmp", v["CONF"])
        self.v = v
        return v

    def start(self, flags, wait=60):
        """returns seconds from exec to the first good answer"""
        if self.s["cmd"] is None:
            return 0.0
        self.work = tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.env.work)
        self.gen, self.flags = 1, flags
        v = self.write_conf(self.work, flags, 1)
        var = self.s.get("variants", {})
        cmd = self.s["cmd"]
        for k in ("hosts", "tls", "h2c", "log"):
            if flags.get(k) and k in var: cmd = var[k].get("cmd", cmd); break
        argv = [subst(a, v) for a in shlex.split(cmd)]
        env = dict(os.environ)
        env.update({k: subst(x, v) for k, x in self.s.get("env", {}).items()})
        out = open(v["LOG"] if (v["LOG"] and self.s.get("stdout_is_log")) else f"{self.work}/stdout", "ab")
        err = open(f"{self.work}/stderr", "ab")
        t0 = time.monotonic()
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                                     preexec_fn=cpus(self.env.proxy_cpu), cwd=self.work, start_new_session=True)
        out.close(); err.close()
        host = f"gen1.example.com" if flags.get("hosts") else "localhost"
        more = [self.tls_port, self.tls_rsa_port] if flags.get("tls") else [self.h2c_port] if flags.get("h2c") else []
        while not probe(self.port, host) or not all(listening(x) for x in more):
            if self.proc.poll() is not None or time.monotonic() - t0 > wait:
                self.stop()
                raise RuntimeError(f"{self.name} did not start; see {self.work}")
            time.sleep(0.0005)
        return time.monotonic() - t0

    def pids(self):
        return tree(self.proc.pid) if self.proc else []

    def reload(self, timeout=120):
        """new generation of the host list; seconds until a new host is routed"""
        r = self.s.get("reload")
        if not r: return None
        self.gen += 1
        v = self.write_conf(self.work, self.flags, self.gen)
        t0 = time.monotonic()
        if "signal" in r: os.kill(self.proc.pid, getattr(signal, "SIG" + r["signal"]))
        else: subprocess.run(subst(r["cmd"], v), shell=True, check=True)
        while not probe(self.port, f"gen{self.gen}.example.com"):
            if time.monotonic() - t0 > timeout: return None
            time.sleep(0.002)
        return time.monotonic() - t0

    def stop(self):
        if not self.proc: return
        ps = self.pids()
        try: self.proc.terminate()
        except ProcessLookupError: pass
        try: self.proc.wait(3)
        except subprocess.TimeoutExpired: pass
        for p in ps:                      # only our own tree, by pid
            try: os.kill(p, signal.SIGKILL)
            except ProcessLookupError: pass
        try: self.proc.wait(5)
        except subprocess.TimeoutExpired: pass
        self.proc = None
        if not self.env.keep: shutil.rmtree(self.work, ignore_errors=True)

def wait_quiet(env):
    end = time.monotonic() + env.quiet_wait
    while True:
        b0, t0 = [core_busy_us(c) for c in (env.proxy_cpu, env.load_cpu)], time.monotonic()
        time.sleep(0.2)
        b1, t1 = [core_busy_us(c) for c in (env.proxy_cpu, env.load_cpu)], time.monotonic()
        if all((y - x) / 1e6 / (t1 - t0) < 0.11 for x, y in zip(b0, b1)) or t1 > end: return

def probe(port, host):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            b = s.recv(4096)
            return b.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    except OSError:
        return False

def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False

# ---------------------------------------------------------------- load tools
class Load:
    def __init__(self, env): self.env = env

    def run(self, argv, timeout=120, env=None):
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})},
                           preexec_fn=cpus(self.env.load_cpu), start_new_session=True)
        return p.stdout + p.stderr

    def wrk(self, url, conns, secs, script, *args):
        o = self.run(["wrk", "-t1", f"-c{conns}", f"-d{secs}s", "--timeout", "10s", "-s", f"{HERE}/lua/{script}.lua", url, "--", *map(str, args)])
        m = re.search(r"^JSON (.*)$", o, re.M)
        if not m: raise RuntimeError("wrk: " + o[-400:])
        d = json.loads(m.group(1))
        d["errors"] = d["e_connect"] + d["e_read"] + d["e_write"] + d["e_status"] + d["e_timeout"]
        d["secs"] = d["dur_us"] / 1e6
        d["per_s"] = d["requests"] / d["secs"]
        return d

    def tool(self, *argv, env=None):
        o = self.run([f"{self.env.build}/{argv[0]}", *map(str, argv[1:])], env=env)
        m = re.search(r"^\{.*\}$", o, re.M)
        if not m: raise RuntimeError(f"{argv[0]}: " + o[-400:])
        d = json.loads(m.group(0))
        if o.strip() != m.group(0): d["note"] = o.replace(m.group(0), "").strip()[:200]
        return d

    def h2load(self, url, secs, conns=32, streams=16):
        o = self.run(["h2load", "-t1", f"-c{conns}", f"-m{streams}", "-D", str(secs), url])
        m = re.search(r"finished in ([\d.]+)s, ([\d.]+) req/s", o)
        n = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored", o)
        if not m or not n: raise RuntimeError("h2load: " + o[-400:])
        d = dict(requests=int(n.group(1)), errors=int(n.group(2)) + int(n.group(3)), per_s=float(m.group(2)), secs=float(m.group(1)))
        t = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", o)
        c = re.search(r"TLS Protocol: (\S+)\s+Cipher: (\S+)", o)
        if c: d["cipher"] = c.group(2); d["version"] = c.group(1)
        p = re.search(r"Application protocol: (\S+)", o)
        if p: d["alpn"] = p.group(1)
        b = re.search(r"\((\d+)\) data", o)
        if b: d["data"] = int(b.group(1))
        return d

# ---------------------------------------------------------------- scenarios
class Sc:
    def __init__(self, name, fn, unit, title, flags=None, needs=("http",)):
        self.name, self.fn, self.unit, self.title = name, fn, unit, title
        self.flags, self.needs = flags or {}, list(needs)
        for f, n in (("log", "log"), ("tls", "tls"), ("hosts", "hosts"), ("h2c", "h2c")):
            if self.flags.get(f) and n not in self.needs: self.needs.append(n)

def measured(p, env, load, units):
    """run load() and attach the proxy's CPU"""
    pids = p.pids()
    def own():                       # what we ourselves burn on the load core
        r = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(x.ru_utime + x.ru_stime for x in r) * 1e6 + cpu_us([env.backend_pid])
    def snap():
        return cpu_us(pids), core_busy_us(env.proxy_cpu), core_busy_us(env.load_cpu), own(), time.monotonic(), cpu_us(pids, (11,))
    c0, b0, l0, o0, t0, u0 = snap()
    d = load()
    c1, b1, l1, o1, t1, u1 = snap()
    n = units(d)
    d["units"] = n
    if d.get("secs"): d["per_s"] = n / d["secs"]
    d["cpu_us"] = (c1 - c0) / n if n else None                 # per unit
    d["core_us"] = (b1 - b0) / n if n else None                # whole proxy core per unit
    d["user_us"] = (u1 - u0) / n if n else None                # of which user mode (tick-sampled)
    d["cpu_util"] = (c1 - c0) / 1e6 / (t1 - t0)
    # CPU of other programs on the two cores, as a share of the time
    d["noise"] = max(0.0, ((b1 - b0) - (c1 - c0)) / 1e6 / (t1 - t0))
    d["noise_load"] = max(0.0, ((l1 - l0) - (o1 - o0)) / 1e6 / (t1 - t0))
    return d

def wrk_sc(path, conns, script, *args, per=1.0, tls=None):
    def f(p, env, L):
        port = {None: p.port, "ecdsa": p.tls_port, "rsa": p.tls_rsa_port}[tls]
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"
        a = [x.replace("@N@", str(env.cur_hosts)) if isinstance(x, str) else x for x in args]
        L.wrk(url, conns, env.warm, script, *a)
        return measured(p, env, lambda: L.wrk(url, conns, env.dur, script, *a), lambda d: d["requests"] * per)
    return f

def hs_sc(kind, mode, version=13):
    def f(p, env, L):
        port = p.tls_port if kind == "ecdsa" else p.tls_rsa_port
        e = {"TLSLOAD_TLS12": "1"} if version == 12 else None
        L.tool("tlsload", port, env.warm, 16, mode, env=e)
        d = measured(p, env, lambda: L.tool("tlsload", port, env.dur, 16, mode, env=e), lambda d: d["conns"])
        d["resumed_pct"] = 100 * d["reused"] / max(1, d["conns"])   # a server that renews no tickets resumes every other one
        if mode == "resume" and not d["reused"]: raise RuntimeError("no handshake was resumed")
        if mode == "full" and d["reused"]: raise RuntimeError(f"{d['reused']} handshakes were resumed")
        if d["version"] != ("TLSv1.2" if version == 12 else "TLSv1.3"): raise RuntimeError(f"spoke {d['version']}")
        return d
    return f

def h2_sc(path="/", conns=32, streams=16, per=1.0, size=66, tls=True):
    def f(p, env, L):
        url = f"https://127.0.0.1:{p.tls_port}{path}" if tls else f"http://127.0.0.1:{p.h2c_port}{path}"
        L.h2load(url, env.warm, conns, streams)
        d = measured(p, env, lambda: L.h2load(url, env.dur, conns, streams), lambda d: d["requests"] * per)
        if d.get("data", 0) < d["requests"] * size: raise RuntimeError(f"{d['requests']} responses, but {d.get('data')} bytes")
        return d
    return f

def tun_sc(size, conns, win, per):
    def f(p, env, L):
        L.tool("tun", p.port, env.warm, conns, size, win)
        return measured(p, env, lambda: L.tool("tun", p.port, env.dur, conns, size, win), lambda d: d["msgs"] * per)
    return f

def lat_sc(rate):
    def f(p, env, L):
        return measured(p, env, lambda: L.tool("olc", p.port, rate, env.dur, 64), lambda d: d["requests"])
    return f

def idle_sc(tls):
    def f(p, env, L):
        port, kind, n = (p.tls_port, "tls", env.idle) if tls else (p.port, "plain", env.idle)
        def open_conns(k):
            q = subprocess.Popen([f"{env.build}/idle", str(port), str(k), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, preexec_fn=cpus(env.load_cpu), start_new_session=True)
            w = q.stdout.readline().split()
            if w[:1] != ["ready"] or int(w[1]) < k * 0.99:
                q.kill(); q.wait()
                raise RuntimeError(f"idle: {w}")
            return q
        qs = [open_conns(100)]              # warm: allocator, pools, backend connections
        try:
            time.sleep(0.3)
            r0, a0 = rss_kb(p.pids())
            qs.append(open_conns(n))
            time.sleep(1.5)
            r1, a1 = rss_kb(p.pids())
            c0 = cpu_us(p.pids()); t0 = time.monotonic(); time.sleep(2)
            idle_cpu = (cpu_us(p.pids()) - c0) / (time.monotonic() - t0) / 1e4
            r2, a2 = rss_kb(p.pids())
        finally:
            outs = []
            for q in qs:
                q.stdin.close(); outs.append(q.stdout.read()); q.wait()
        return dict(kb_per_conn=(r1 - r0) / n, anon_kb_per_conn=(a1 - a0) / n, kb_per_conn_later=(r2 - r0) / n, rss0_kb=r0, rss1_kb=r1,
                    idle_cpu_pct=idle_cpu, closed=outs[-1].strip(), conns=n)
    return f

def hosts_sc(p, env, L):
    n = env.cur_hosts
    d = wrk_sc("/", 64, "hosts", "@N@")(p, env, L)
    d["rss_kb"] = rss_kb(p.pids())[0]
    d["start_s"] = p.last_start
    d["reload_s"] = p.reload()
    return d

def startup_sc(p, env, L):
    ts = [p.last_start]
    for _ in range(4):
        p.stop(); ts.append(p.start(p.flags))
    return dict(start_ms=statistics.median(ts) * 1e3, rss_kb=rss_kb(p.pids())[0])

MB = 1048576
SCEN = [
    Sc("get", wrk_sc("/", 64, "get"), "req", "GET 66 B, keep-alive, c=64"),
    Sc("get_log", wrk_sc("/", 64, "get"), "req", "GET 66 B, keep-alive, c=64, access log", dict(log=1)),
    Sc("newconn", wrk_sc("/", 64, "get", "Connection: close"), "conn", "GET 66 B, new client connection each, c=64"),
    Sc("newconn_log", wrk_sc("/", 64, "get", "Connection: close"), "conn", "the same, access log", dict(log=1)),
    Sc("body64k", wrk_sc("/b/65536", 32, "get", per=1 / 16), "MiB", "64 KiB responses, c=32"),
    Sc("body1m", wrk_sc("/b/1048576", 16, "get", per=1), "MiB", "1 MiB responses, c=16"),
    Sc("up64k", wrk_sc("/", 32, "post", 65536, per=1 / 16), "MiB", "64 KiB POST, c=32"),
    Sc("up1m", wrk_sc("/", 16, "post", MB), "MiB", "1 MiB POST, c=16"),
    Sc("tls_ecdsa", wrk_sc("/", 64, "get", tls="ecdsa"), "req", "TLS GET 66 B keep-alive, ECDSA, c=64", dict(tls=1)),
    Sc("tls_ecdsa_log", wrk_sc("/", 64, "get", tls="ecdsa"), "req", "the same, access log", dict(tls=1, log=1)),
    Sc("tls_rsa", wrk_sc("/", 64, "get", tls="rsa"), "req", "TLS GET 66 B keep-alive, RSA, c=64", dict(tls=1)),
    Sc("tls1m", wrk_sc("/b/1048576", 16, "get", per=1, tls="ecdsa"), "MiB", "TLS 1 MiB responses, c=16", dict(tls=1)),
    Sc("hs_ecdsa", hs_sc("ecdsa", "full"), "conn", "TLS 1.3 full handshake + GET + close, ECDSA P-256, c=16", dict(tls=1)),
    Sc("hs_rsa", hs_sc("rsa", "full"), "conn", "TLS 1.3 full handshake + GET + close, RSA 2048, c=16", dict(tls=1)),
    Sc("hs_resume", hs_sc("ecdsa", "resume"), "conn", "TLS 1.3 resumed handshake + GET + close, ECDSA, c=16", dict(tls=1)),
    Sc("hs_rsa_resume", hs_sc("rsa", "resume"), "conn", "TLS 1.3 resumed handshake + GET + close, RSA, c=16", dict(tls=1)),
    Sc("hs12_ecdsa", hs_sc("ecdsa", "full", 12), "conn", "TLS 1.2 full handshake + GET + close, ECDSA P-256, c=16", dict(tls=1)),
    Sc("hs12_rsa", hs_sc("rsa", "full", 12), "conn", "TLS 1.2 full handshake + GET + close, RSA 2048, c=16", dict(tls=1)),
    Sc("hs12_resume", hs_sc("ecdsa", "resume", 12), "conn", "TLS 1.2 resumed handshake + GET + close, ECDSA, c=16", dict(tls=1)),
    Sc("hs12_rsa_resume", hs_sc("rsa", "resume", 12), "conn", "TLS 1.2 resumed handshake + GET + close, RSA, c=16", dict(tls=1)),
    Sc("h2", h2_sc(), "req", "HTTP/2 over TLS, h2load -c32 -m16", dict(tls=1), ["http", "h2"]),
    Sc("h2_log", h2_sc(), "req", "the same, access log", dict(tls=1, log=1), ["http", "h2"]),
    Sc("h2_1m", h2_sc("/b/1048576", 16, 1, 1, MB), "MiB", "HTTP/2 over TLS, 1 MiB responses, h2load -c16 -m1", dict(tls=1), ["http", "h2"]),
    Sc("h2c", h2_sc(tls=False), "req", "HTTP/2 without TLS (prior knowledge), h2load -c32 -m16", dict(h2c=1), ["http", "h2c"]),
    Sc("h2c_1m", h2_sc("/b/1048576", 16, 1, 1, MB, tls=False), "MiB", "the same, 1 MiB responses, h2load -c16 -m1", dict(h2c=1), ["http", "h2c"]),
    Sc("idle", idle_sc(False), "conn", "idle keep-alive connections, RSS"),
    Sc("idle_tls", idle_sc(True), "conn", "idle TLS keep-alive connections, RSS", dict(tls=1)),
    Sc("startup", startup_sc, "start", "exec to first answer"),
    Sc("tun64", tun_sc(64, 32, 1, 1), "msg", "upgraded tunnel, 64 B ping-pong, c=32", None, ["http", "upgrade"]),
    Sc("tun64k", tun_sc(65536, 8, 2, 1 / 16), "MiB", "upgraded tunnel, 64 KiB echo, c=8 (MiB each way)", None, ["http", "upgrade"]),
    Sc("hosts10k", hosts_sc, "req", "GET over 10,000 host names", dict(hosts=10000)),
    Sc("hosts100k", hosts_sc, "req", "GET over 100,000 host names", dict(hosts=100000)),
    Sc("lat2k", lat_sc(2000), "req", "open loop 2,000 req/s over 64 connections"),
]
BYNAME = {s.name: s for s in SCEN}
MAIN = {  # metric(s) shown per scenario: (key, label, format, lower_is_better)
    "default": [("cpu_us", "CPU µs/unit", "{:.1f}", True), ("per_s", "units/s", "{:.0f}", False)],
    "idle": [("kb_per_conn", "KiB RSS/conn", "{:.2f}", True)],
    "idle_tls": [("kb_per_conn", "KiB RSS/conn", "{:.2f}", True)],
    "startup": [("start_ms", "start ms", "{:.1f}", True), ("rss_kb", "RSS KiB", "{:.0f}", True)],
    "lat2k": [("p50_us", "p50 µs", "{:.0f}", True), ("p99_us", "p99 µs", "{:.0f}", True), ("cpu_us", "CPU µs/req", "{:.1f}", True)],
    "hosts10k": [("cpu_us", "CPU µs/req", "{:.1f}", True), ("start_s", "start s", "{:.3f}", True), ("reload_s", "reload s", "{:.3f}", True), ("rss_kb", "RSS KiB", "{:.0f}", True)],
}
MAIN["hosts100k"] = MAIN["hosts10k"]
for n in ("get", "get_log", "newconn", "newconn_log", "tls_ecdsa", "tls_ecdsa_log", "tls_rsa"):
    MAIN[n] = MAIN["default"] + [("p50_us", "p50 µs", "{:.0f}", True), ("p99_us", "p99 µs", "{:.0f}", True)]
for n in (s.name for s in SCEN if s.name.startswith("hs")):
    MAIN[n] = MAIN["default"] + [("p50_us", "p50 µs", "{:.0f}", True)] + ([("resumed_pct", "resumed %", "{:.0f}", False)] if "resume" in n else [])

# ---------------------------------------------------------------- report
def load_results(path):
    rows = [json.loads(l) for l in open(path) if l.strip()]
    return rows

def report(rows, candidates, out=sys.stdout, only=None):
    peers, scs = [], []
    for r in rows:
        if r["peer"] not in peers: peers.append(r["peer"])
        if r["scenario"] not in scs: scs.append(r["scenario"])
    order = {s.name: i for i, s in enumerate(SCEN)}
    scs.sort(key=lambda s: order.get(s, 99))
    table = {}
    for sc in scs:
        ms = MAIN.get(sc, MAIN["default"])
        have = [p for p in peers if any(r["peer"] == p and r["scenario"] == sc and "error" not in r for r in rows)]
        if not have: continue
        print(f"\n### {sc}: {BYNAME[sc].title if sc in BYNAME else ''} (unit: {BYNAME[sc].unit if sc in BYNAME else '?'})\n", file=out)
        print("| proxy | " + " | ".join(m[1] for m in ms) + " | core util | errors | n |", file=out)
        print("|---|" + "---|" * (len(ms) + 3), file=out)
        for p in have:
            rs = [r for r in rows if r["peer"] == p and r["scenario"] == sc and "error" not in r]
            cells = []
            for key, _, fmt, _ in ms:
                vs = [r[key] for r in rs if r.get(key) is not None]
                if not vs: cells.append("-"); continue
                table[(sc, key, p)] = statistics.median(vs)
                cells.append(fmt.format(statistics.median(vs)) + (f" ({fmt.format(min(vs))}–{fmt.format(max(vs))})" if len(vs) > 1 else ""))
            u = [r["cpu_util"] for r in rs if r.get("cpu_util") is not None]
            e = sum(r.get("errors") or 0 for r in rs)
            print(f"| {p} | " + " | ".join(cells) + f" | {statistics.median(u):.2f}" .replace("nan", "-") + f" | {e} | {len(rs)} |"
                  if u else f"| {p} | " + " | ".join(cells) + f" | - | {e} | {len(rs)} |", file=out)
    errs = [(r["peer"], r["scenario"], r["error"]) for r in rows if "error" in r]
    if errs:
        print("\nFailed runs:", file=out)
        for e in errs: print("- %s %s: %s" % e, file=out)
    for c in candidates:
        if c not in peers: continue
        others = [p for p in peers if p != c]
        print(f"\n## {c} / peer  (below 1.00 is better for {c}, except units/s)\n", file=out)
        print("| scenario | metric | " + c + " | " + " | ".join(others) + " |", file=out)
        print("|---|---|---|" + "---|" * len(others), file=out)
        for sc in scs:
            for key, label, fmt, low in MAIN.get(sc, MAIN["default"]):
                if (sc, key, c) not in table: continue
                mine = table[(sc, key, c)]
                cells = [f"{mine / table[(sc, key, p)]:.2f}" if table.get((sc, key, p)) else "-" for p in others]
                print(f"| {sc} | {label}{'' if low else ' (higher is better)'} | {fmt.format(mine)} | " + " | ".join(cells) + " |", file=out)

def heading(f, a, versions):
    kernel = ".".join(platform.release().split(".")[:2])
    print("# Side by side\n", file=f)
    print(f"Written by `./dev bench` on {datetime.date.today()}: Linux {kernel}, {platform.machine()}, "
          f"{a.reps} round{'s' if a.reps > 1 else ''} of {a.dur} s, one worker per proxy on a CPU of its own. "
          "Median (least–most); CPU per unit counts first. README.md says how it is measured.\n", file=f)
    for name, version in versions.items():
        print(f"- {name}: {version}", file=f)

# ---------------------------------------------------------------- main
DEFAULT_PEERS = "haproxy,haproxy-always,haproxy-splice,nginx,h2o"
SETS = {  # names for --scenarios
    "default": "get,get_log,newconn,newconn_log,body64k,body1m,up64k,up1m",
    "tls": "tls_ecdsa,tls_rsa,tls1m,hs_ecdsa,hs_rsa,hs_resume,hs_rsa_resume,hs12_ecdsa,hs12_rsa,hs12_resume,hs12_rsa_resume,h2,h2_1m,h2c,h2c_1m,idle_tls",
}

def routing(results):
    """what lookups, choices and members cost: no proxy, no sockets; tools/routing.c says how it is measured"""
    release = f"{ROOT}/build/release"
    subprocess.run(["cmake", "--build", release, "--target", "bench_routing"], check=True, stdout=subprocess.DEVNULL)
    table = subprocess.run([f"{release}/bench/routing"], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(table, end="")
    if results:
        with open(results, "w") as f: f.write(table)

def may_unshare():
    try: return subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError: return False

def build_tools(b):
    os.makedirs(b, exist_ok=True)
    for t in ("backend", "l4", "olc", "tun", "tlsload", "idle", "l7"):
        src, dst = f"{HERE}/tools/{t}.c", f"{b}/{t}"
        if not os.path.exists(dst) or os.path.getmtime(dst) < os.path.getmtime(src):
            subprocess.run(["gcc", "-O2", "-include", "stddef.h", "-o", dst, src] + (["-lssl", "-lcrypto"] if t in ("tlsload", "idle") else []), check=True)
    for k, a in (("ecdsa", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]), ("rsa", ["-newkey", "rsa:2048"])):
        if not os.path.exists(f"{b}/{k}.pem"):
            subprocess.run(["openssl", "req", "-x509", *a, "-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,DNS:*.example.com,IP:127.0.0.1", "-keyout", f"{b}/{k}.key", "-out", f"{b}/{k}.crt"],
                           check=True, stderr=subprocess.DEVNULL)
            open(f"{b}/{k}.pem", "w").write(open(f"{b}/{k}.crt").read() + open(f"{b}/{k}.key").read())

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--candidate", action="append", default=[], help="JSON description of a proxy under test; default peers/weir.json")
    ap.add_argument("--cmd", help="shorthand candidate: command line (@CONF@ @PORT@ @BACKEND_PORT@ ...)")
    ap.add_argument("--template", help="shorthand candidate: config template")
    ap.add_argument("--supports", default="http,log,tls,h2,upgrade", help="shorthand candidate: what it can do")
    ap.add_argument("--name", default="candidate")
    ap.add_argument("--peers", default=DEFAULT_PEERS, help="comma list of peers/NAME.json, or 'none'; default %(default)s")
    ap.add_argument("--scenarios", default="default", help="comma list of names and sets (default, tls), or 'all'; a leading - excludes; default %(default)s; or 'routing', 'admin-changes', 'metrics-sum', each by itself")
    ap.add_argument("--reps", type=int, default=3)
    ap.add_argument("--dur", type=int, default=4, help="seconds per measurement")
    ap.add_argument("--warm", type=int, default=1)
    ap.add_argument("--idle", type=int, default=5000)
    ap.add_argument("--proxy-cpu", type=int, default=0)
    ap.add_argument("--load-cpu", type=int, default=1)
    ap.add_argument("--base-port", type=int, default=9100)
    ap.add_argument("--backend-port", type=int, default=9000)
    ap.add_argument("--build", default=f"{ROOT}/build/bench")
    ap.add_argument("--work", help="where proxies keep their files; default: a fresh directory in memory")
    ap.add_argument("--out", default=f"{ROOT}/build/bench/results.jsonl", help="raw results, appended")
    ap.add_argument("--results", help="file for the tables; - for standard output only; default RESULTS.md, of routing none")
    ap.add_argument("--quick", action="store_true", help="one round, two seconds each, no waiting for quiet")
    ap.add_argument("--without-weir", action="store_true", help="only the peers")
    ap.add_argument("--no-netns", action="store_true", help="do not run in a private network namespace")
    ap.add_argument("--cc", default="cubic", help="TCP congestion control inside the namespace")
    ap.add_argument("--nice", type=int, default=0, help="nice value of proxy, backend and load tools (shared machine: -10)")
    ap.add_argument("--quiet-wait", type=int, default=15, help="wait up to this many seconds for both cores to be idle before a measurement")
    ap.add_argument("--retries", type=int, default=2, help="repeat a measurement disturbed by other programs; the quietest counts")
    ap.add_argument("--noise-limit", type=float, default=0.08)
    ap.add_argument("--keep", action="store_true", help="keep work directories")
    ap.add_argument("--report", metavar="JSONL", help="only print the tables of an earlier run")
    ap.add_argument("--list", action="store_true")
    a = ap.parse_args()

    if a.list:
        for s in SCEN: print(f"{s.name:16} {s.unit:6} {s.title}")
        for n, l in SETS.items(): print(f"set {n}: {l}")
        print("routing: what lookups, choices and members cost, by themselves")
        print("admin-changes, metrics-sum: those of admin.py, by themselves")
        return
    if a.scenarios in ("admin-changes", "metrics-sum"):
        os.execv(sys.executable, [sys.executable, f"{HERE}/admin.py", a.scenarios])
    if a.scenarios == "routing":
        routing(a.results if a.results != "-" else None)
        return
    a.results = a.results or f"{HERE}/RESULTS.md"
    if a.quick:
        a.reps, a.dur, a.quiet_wait, a.retries = 1, 2, 0, 0
    cands, specs = [], []
    if not a.candidate and not a.cmd and not a.without_weir and not a.report:
        if os.access(f"{ROOT}/build/release/weir", os.X_OK): a.candidate = [f"{HERE}/peers/weir.json"]
        else: print("# build/release/weir is missing: only the peers", file=sys.stderr)
    for c in a.candidate:
        d = json.load(open(c)); cands.append(d["name"]); specs.append((d, os.path.dirname(os.path.abspath(c))))
    if a.cmd:
        specs.append((dict(name=a.name, cmd=a.cmd, template=os.path.abspath(a.template) if a.template else None,
                           supports=a.supports.split(",")), "/")); cands.append(a.name)
    if a.report:
        report(load_results(a.report), cands or ([a.name] if a.name != "candidate" else [])); return

    if not a.no_netns and os.environ.get("BENCH_NETNS") != "1" and not may_unshare():
        print("# no private network namespace: measuring on this system's own loopback", file=sys.stderr)
        a.no_netns = True
    if not a.no_netns and os.environ.get("BENCH_NETNS") != "1":
        os.environ["BENCH_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    if os.environ.get("BENCH_NETNS") == "1":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for k, v in (("ipv4/ip_local_port_range", "10000 65000"), ("core/somaxconn", "4096"),
                     ("ipv4/tcp_max_syn_backlog", "8192"), ("ipv4/tcp_congestion_control", a.cc)):
            try: open(f"/proc/sys/net/{k}", "w").write(v)
            except OSError as e: print("sysctl", k, e, file=sys.stderr)
    try: resource.setrlimit(resource.RLIMIT_NOFILE, (100000, 100000))
    except (ValueError, OSError): pass
    allowed = sorted(os.sched_getaffinity(0))
    if not {a.proxy_cpu, a.load_cpu} <= set(allowed):
        a.proxy_cpu, a.load_cpu = allowed[0], allowed[-1]
    if a.proxy_cpu == a.load_cpu:
        print("# one CPU only: proxy and load generator share it, the figures say little", file=sys.stderr)
    os.sched_setaffinity(0, {a.load_cpu})
    own_work = a.work is None
    if own_work: a.work = tempfile.mkdtemp(prefix="weir-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    else: os.makedirs(a.work, exist_ok=True)
    os.makedirs(os.path.dirname(os.path.abspath(a.out)), exist_ok=True)
    build_tools(a.build)

    if a.peers != "none":
        for n in a.peers.split(","):
            specs.append((json.load(open(f"{HERE}/peers/{n}.json")), f"{HERE}/peers"))
    peers = [Peer(s, d, i, a) for i, (s, d) in enumerate(specs)]
    names = [s.name for s in SCEN]
    if a.scenarios != "all":
        w = [n for x in a.scenarios.split(",") for n in (SETS[x].split(",") if x in SETS else [x])]
        unknown = [n for n in w if n.lstrip("-") not in BYNAME]
        if unknown: ap.error(f"no such scenario: {', '.join(unknown)}")
        wanted = [n for n in w if not n.startswith("-")] or names
        names = [n for n in names if n in wanted and "-" + n not in w]

    global NICE
    NICE = a.nice
    versions = {}
    def bail(*_): raise SystemExit("stopped")
    signal.signal(signal.SIGTERM, bail)
    be = subprocess.Popen([f"{a.build}/backend", str(a.backend_port)], preexec_fn=cpus(a.load_cpu), start_new_session=True)
    a.backend_pid = be.pid
    for _ in range(200):
        if probe(a.backend_port, "localhost"): break
        time.sleep(0.02)
    L = Load(a)
    rows = []
    try:
        for p in peers:
            if p.s.get("version_cmd"):
                o = subprocess.run(subst(p.s["version_cmd"], dict(ROOT=ROOT)), shell=True, capture_output=True, text=True)
                versions[p.name] = ((o.stdout + o.stderr).strip().splitlines() or ["?"])[0]
                print(f"# {p.name}: {versions[p.name]}", file=sys.stderr)
        for rep in range(a.reps):
            for si, n in enumerate(names):
                sc = BYNAME[n]
                ps = [p for p in peers if p.can(sc)]
                k = (rep + si) % max(1, len(ps))
                for p in ps[k:] + ps[:k]:               # rotate who goes first
                    a.cur_hosts = sc.flags.get("hosts", 0)
                    r = dict(peer=p.name, scenario=n, rep=rep, at=datetime.datetime.now().isoformat(timespec="seconds"))
                    best = None
                    for attempt in range(1 + a.retries):
                        if a.quiet_wait: wait_quiet(a)
                        try:
                            p.last_start = p.start(sc.flags)
                            d = sc.fn(p, a, L)
                        except Exception as e:
                            d = dict(error=f"{type(e).__name__}: {e}"[:500])
                        finally:
                            p.stop()
                        if best is None or ("error" in best and "error" not in d) or (
                                "error" not in d and max(d.get("noise") or 0, d.get("noise_load") or 0) < max(best.get("noise") or 0, best.get("noise_load") or 0)):
                            best = d
                        if "error" not in best and max(best.get("noise") or 0, best.get("noise_load") or 0) <= a.noise_limit: break
                    r.update(best, attempts=attempt + 1)
                    rows.append(r)
                    with open(a.out, "a") as f: f.write(json.dumps(r) + "\n")
                    show = " ".join(f"{k2}={r[k2]:.4g}" for k2 in ("cpu_us", "per_s", "cpu_util", "noise", "noise_load", "p50_us", "p99_us", "kb_per_conn", "start_ms", "reload_s", "errors") if isinstance(r.get(k2), (int, float)))
                    print(f"{rep} {n:13} {p.name:14} {show} {r.get('error', '')}", file=sys.stderr, flush=True)
    finally:
        be.terminate(); be.wait()
        if own_work and not a.keep: shutil.rmtree(a.work, ignore_errors=True)
    report(rows, cands)
    if a.results != "-":
        with open(a.results, "w") as f:
            heading(f, a, versions)
            report(rows, cands, f)
        print(f"\ntables: {os.path.relpath(a.results)}", file=sys.stderr)

if __name__ == "__main__":
    main()
