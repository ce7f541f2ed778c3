#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_examples.py BIN-DIR CASE [SECONDS]: runs an example against a real peer. BIN-DIR holds example_NAME.

Each case starts what it needs, ends it by its process id, and says what it promises. Exit status 77:
the example, or its peer, is not here.
"""
import concurrent.futures
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from peers import Echo, Pages, TlsServer, new_certificate, postgres, postgres_program, redis_program, redis_server
from runner import BIN, LIMIT, Server, WEFT, example, expect, read_all


# ---- the prime sieve ----


def sieve():
    out = subprocess.run([example("sieve"), "200"], stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    primes = [n for n in range(2, 1224) if all(n % d for d in range(2, int(n**0.5) + 1))]
    expect("primes", out.split(), [str(n) for n in primes])


# ---- checksums ----


def checksum():
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(200):
            path = Path(folder) / f"d{i % 7}" / f"{i}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(rng.randbytes(rng.choice([0, 1, 100, 65536, 200000])))
        run = subprocess.run([example("checksum"), folder, f"{folder}/missing"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        files = [str(p) for p in Path(folder).rglob("*") if p.is_file()]
        peer = subprocess.run(["cksum", *files], stdout=subprocess.PIPE, text=True, check=True).stdout
        expect("checksums", sorted(run.stdout.splitlines()), sorted(peer.splitlines()))
        size = sum(os.path.getsize(f) for f in files)
        expect("sum", run.stderr.splitlines()[-1], f"{size} bytes in 200 files")
        expect("a missing file is an error", (run.returncode, "missing" in run.stderr), (1, True))


# ---- SQLite ----


def sqlite_pool():
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run([example("sqlite_pool"), f"{folder}/bank.db", "200"], stdout=subprocess.PIPE, text=True,
                             timeout=120, check=True).stdout
        expect("the sum", "200 jobs by 8 workers; sum 50000" in out, True)


# ---- libcurl, OpenSSL, hiredis and SQLite ----


def libraries():
    program = example("libraries")
    if not redis_program() or not shutil.which("openssl"):
        print("skipped: no redis-server, or no openssl")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder, redis_server(folder) as redis:
        certificate = new_certificate(f"{folder}/certificate")
        pages, echo = TlsServer(Pages, certificate), TlsServer(Echo, certificate)

        def run(authority, tasks, *prefix):
            pages.served.clear()
            echo.served.clear()
            return subprocess.run([*prefix, program, authority, pages.port(), echo.port(), redis, f"{folder}/rows",
                                   str(tasks)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=250,
                                  check=False)

        def run_well(tasks, *prefix):
            done = run(certificate, tasks, *prefix)
            print(done.stdout, done.stderr, sep="")
            expect("exit status", done.returncode, 0)
            expect("done", re.findall(r"^(\w+) (\d+) of (\d+)$", done.stdout, re.M),
                   [(name, str(tasks // 4), str(tasks // 4)) for name in ("libcurl", "OpenSSL", "hiredis", "SQLite")])
            expect("pages", sorted(pages.served), sorted(f"/{i}/{r}" for i in range(0, tasks, 4) for r in range(2)))
            expect("lines", sorted(echo.served),
                   sorted(b"task %d, line %d\n" % (i, r) for i in range(1, tasks, 4) for r in range(2)))

        run_well(1000)
        run_well(200, "sh", "-c", 'ulimit -n 150 && WEFT_PROCESSORS=1 exec "$0" "$@"')
        done = run(new_certificate(f"{folder}/stranger"), 4)
        expect("a stranger's certificate is an error",
               (done.returncode, "libcurl 0 of 1\nOpenSSL 0 of 1" in done.stdout, pages.served, echo.served,
                "certificate" in done.stderr), (1, True, [], [], True))


# ---- the daemon ----


def lines(s, count):
    data = b""
    while data.count(b"\n") < count:
        data += s.recv(100)
    return data


def daemon():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        with Server(example("daemon"), path) as server:
            expect("first line", server.line, "ready")
            a, b = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
            a.connect(path)
            b.connect(path)
            a.sendall(b"one\ntwo\nthr")
            expect("answers", lines(a, 2), b"one, request 1\ntwo, request 2\n")
            b.sendall(b"x\n")
            expect("answer", lines(b, 1), b"x, request 3\n")
            server.process.send_signal(signal.SIGHUP)
            expect("reload", server.process.stdout.readline().strip(), "reloaded")
            b.close()
            server.process.send_signal(signal.SIGTERM)
            a.sendall(b"ee\n")  # in the middle of a request: it is finished
            expect("the last answer", lines(a, 1), b"three, request 4\n")
            a.close()
            out, _ = server.process.communicate(timeout=LIMIT)
            expect("the end", (out.split("\n"), server.process.returncode), (["house kept", "ended", ""], 0))
            expect("the socket is gone", os.path.exists(path), False)
        with Server(example("daemon"), path) as server:
            idle = socket.socket(socket.AF_UNIX)
            idle.connect(path)
            idle.sendall(b"here\n")
            lines(idle, 1)  # accepted, not only queued for it
            begin = time.monotonic()
            server.end()  # cut off after two seconds
            expect("patience", 1.5 < time.monotonic() - begin < 20, True)
            idle.close()


# ---- the proxy ----


def upstream(listener, behave):
    def loop():
        while True:
            try:
                s = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=behave, args=(s,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def shout(s):
    with s:
        s.sendall(read_all(s).upper())  # only after the end of what the client says: half-close


def proxy():
    listener = socket.create_server(("127.0.0.1", 0))
    upstream(listener, shout)
    with Server(example("proxy"), "0", "127.0.0.1", str(listener.getsockname()[1])) as server:
        before = server.descriptors()

        def converse(i):
            data = (b"message %d " % i) * (1 + i * 500)
            with server.dial() as s:
                sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
                sender.start()
                got = read_all(s)
                sender.join()
            expect(f"conversation {i}", got == data.upper(), True)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(converse, range(100)))
        for _ in range(50):  # clients that go away in the middle
            s = server.dial()
            s.sendall(b"x" * 1000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        converse(3)
        await_descriptors(server, before)
        server.end()


def proxy_drained():
    """SIGTERM in the middle of a conversation: it goes on to its end, nobody new is let in, and then the proxy ends."""
    listener, reached = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def shout_and_tell(s):
        with s:
            data = s.recv(1)
            reached.set()
            s.sendall((data + read_all(s)).upper())

    upstream(listener, shout_and_tell)
    first, rest = b"first " * 1000, random.Random(5).randbytes(5_000_000)
    with Server(example("proxy"), "0", "127.0.0.1", str(listener.getsockname()[1])) as server, server.dial() as busy:
        busy.sendall(first)
        reached.wait()
        server.process.send_signal(signal.SIGTERM)
        while is_let_in(server):
            time.sleep(0.01)
        sender = threading.Thread(target=lambda: (busy.sendall(rest), busy.shutdown(socket.SHUT_WR)))
        sender.start()
        expect("the answer is whole", read_all(busy) == (first + rest).upper(), True)
        sender.join()
        server.process.communicate(timeout=LIMIT)
        expect("exit status", server.process.returncode, 0)


def is_let_in(server):
    try:
        server.dial().close()
    except ConnectionRefusedError:
        return False
    return True


def memo():
    with Server(example("memo"), "0") as server:
        before = server.descriptors()

        def ask(data):
            with server.dial() as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                return read_all(s)

        text = bytes(range(256)) * 16
        expect("requests that come together", ask(b"set x 4096\n" + text + b"get x\nget y\nset x 5\nhelloget x\n"),
               b"ok\n4096\n" + text + b"none\nok\n5\nhello")
        with server.dial() as s:
            for byte in b"get x\n":  # byte by byte; the answer comes although the client still writes
                s.sendall(bytes([byte]))
            expect("an answer", s.recv(7, socket.MSG_WAITALL), b"5\nhello")
        expect("an unknown word", ask(b"put x\n"), b"what?\n")
        expect("a line without end", ask(b"get " + b"x" * 200), b"")
        expect("half a text", ask(b"set z 10\nhalf"), b"")
        expect("the half was not taken", ask(b"get z\n"), b"none\n")
        await_descriptors(server, before)
        server.end()


def crawler():
    pages = {f"/{i}": f'<a href="/{2 * i + 1}">x</a><a href="/{(2 * i + 2) % 200}">y</a>' + "." * i for i in range(200)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            text = pages.get(self.path, "").encode()
            self.send_response(200 if text else 404)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_address[1])
        done = subprocess.run([example("crawler"), "127.0.0.1", port, "/0"], capture_output=True, text=True,
                              timeout=120, check=False)
        server.shutdown()
    *lines, last = done.stdout.splitlines()
    sizes = dict(line.split() for line in lines)
    expect("pages of the server", {p: int(n) for p, n in sizes.items() if p in pages},
           {p: len(t) for p, t in pages.items()})
    expect("the last line", last, f"{len(lines)} pages")
    gone = subprocess.run([example("crawler"), "127.0.0.1", port], capture_output=True, text=True, timeout=120, check=False)
    expect("nobody listens", (gone.returncode, gone.stderr), (1, "crawler: 127.0.0.1: Connection refused\n"))


def await_no_more(what, count, before):
    end = time.monotonic() + LIMIT
    while (left := count()) > before and time.monotonic() < end:
        time.sleep(0.05)
    expect(f"{what} that are left: {left}, before: {before}", left <= before, True)


def await_descriptors(server, before):
    await_no_more("descriptors", server.descriptors, before)


# ---- HTTP ----


def http_answer(s):
    """One answer: status line and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(1)
        if not more:
            return None, data
        data += more
    head = data.split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:"))
    body = b""
    while len(body) < length:
        body += s.recv(length - len(body))
    return head[0].decode().split(" ", 1)[1], body


def http():
    with tempfile.TemporaryDirectory() as folder:
        large = random.Random(2).randbytes(3_000_000)
        (Path(folder) / "large").write_bytes(large)
        (Path(folder) / "small").write_bytes(b"small\n")
        with Server(example("http"), "0", folder) as server:
            before = server.descriptors()
            http_by_hand(server, large)
            if shutil.which("curl"):
                http_by_curl(server, folder, large)
            if shutil.which("wrk"):
                http_by_wrk(server)
            await_descriptors(server, before)
            idle = [server.dial() for _ in range(50)]
            server.end()  # idle connections do not keep it
            for s in idle:
                s.close()


def http_by_hand(server, large):
    get = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.dial() as s:  # pipelining, in pieces of all sizes
        wire = get % b"small" + b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + get % b"none" + get % b"large"
        for i in range(0, len(wire), 7):
            s.sendall(wire[i:i + 7])
        expect("a file", http_answer(s), ("200 OK", b"small\n"))
        expect("an echo", http_answer(s), ("200 OK", b"hello"))
        expect("no file", http_answer(s)[0], "404 Not Found")
        expect("a large file", http_answer(s) == ("200 OK", large), True)
        s.sendall(b"PUT / HTTP/1.1\r\n\r\n" + get % b"../etc/passwd" + get % b"/etc/passwd")
        expect("a strange method", http_answer(s)[0], "405 Method Not Allowed")
        expect("out of the folder", [http_answer(s)[0], http_answer(s)[0]], ["403 Forbidden"] * 2)
        s.sendall(b"GET /small HTTP/1.1\r\nConnection: close\r\n\r\n")
        expect("the last", (http_answer(s), s.recv(1)), (("200 OK", b"small\n"), b""))
    for request, status in [(b"nonsense\r\n\r\n", "400 Bad Request"), (b"x" * 9000, "413 Content Too Large"),
                            (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413 Content Too Large"),
                            (b"GET /small HTTP/1.0\r\n\r\n", "200 OK")]:
        with server.dial() as s:
            s.sendall(request)
            expect(request[:20], http_answer(s)[0], status)
            try:
                expect("closed", s.recv(1), b"")
            except ConnectionResetError:
                pass  # what was left unread


def http_by_curl(server, folder, large):
    url = f"http://127.0.0.1:{server.line}"
    run = subprocess.run(["curl", "-sS", "--max-time", "20", f"{url}/small", f"{url}/large", "-o", f"{folder}/a", "-o",
                          f"{folder}/b", "-w", "%{num_connects}"], stdout=subprocess.PIPE, text=True, check=True)
    expect("curl's files", (Path(folder, "a").read_bytes(), Path(folder, "b").read_bytes() == large), (b"small\n", True))
    expect("curl keeps the connection", run.stdout, "10")
    run = subprocess.run(["curl", "-sS", "--max-time", "20", "--data-binary", f"@{folder}/small", f"{url}/echo"],
                         stdout=subprocess.PIPE, check=True)
    expect("curl's echo", run.stdout, b"small\n")


def http_by_wrk(server):
    run = subprocess.run(["wrk", "-t1", "-c50", "-d1s", f"http://127.0.0.1:{server.line}/small"],
                         stdout=subprocess.PIPE, text=True, check=True)
    expect(f"wrk: {run.stdout}", "Socket errors" in run.stdout or "Non-2xx" in run.stdout, False)


def http_drained():
    """SIGTERM in the middle of an answer: it comes whole; connections without a request are closed at once."""
    huge = random.Random(4).randbytes(20_000_000)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "huge").write_bytes(huge)
        with Server(example("http"), "0", folder) as server, server.dial() as idle, server.dial() as busy:
            idle.sendall(b"GET /none HTTP/1.1\r\n\r\n")
            expect("a connection that is kept", http_answer(idle)[0], "404 Not Found")
            busy.sendall(b"GET /huge HTTP/1.1\r\n\r\n")
            head = busy.recv(1)
            server.process.send_signal(signal.SIGTERM)
            expect("an idle connection is closed while the answer waits for its reader", idle.recv(1), b"")
            expect("the answer is whole", (head + read_all(busy)).partition(b"\r\n\r\n")[2] == huge, True)
            server.process.communicate(timeout=LIMIT)
            expect("exit status", server.process.returncode, 0)


class Herd:
    """A thousand clients in ten processes, which are killed at random and started again."""
    PROCESSES, EACH = 10, 100
    POST = 'wrk.method = "POST"\nwrk.body = string.rep("y", 40000)\n'

    def __init__(self, server, rng, folder):
        self.url, self.rng, self.script = f"http://127.0.0.1:{server.line}", rng, Path(folder) / "post.lua"
        self.script.write_text(self.POST, encoding="ascii")
        self.processes = [self.start() for _ in range(self.PROCESSES)]

    def start(self):
        what = self.rng.choice([["/large"], ["/small"], ["/none"], ["/echo", "-s", self.script]])
        return subprocess.Popen(["wrk", "-t1", f"-c{self.EACH}", "-d600s", self.url + what[0], *what[1:]],
                                stdout=subprocess.DEVNULL)

    def kill_one(self):
        i = self.rng.randrange(self.PROCESSES)
        self.kill(self.processes[i])
        self.processes[i] = self.start()

    def kill(self, process):
        expect("a client that has not ended by itself", process.poll(), None)
        process.kill()
        process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


PHASES = 4
KEPT_KIB = 4000


def harass(server, rng, folder, seconds):
    """Clients come and are killed, by hand and by the herd, until the seconds are over; then all are gone."""
    end = time.monotonic() + seconds
    if not shutil.which("wrk"):
        print("no wrk: a hundred clients at a time instead of a thousand")
        while time.monotonic() < end:
            kill_clients(server, rng, 100)
        return
    with Herd(server, rng, folder) as herd:
        while time.monotonic() < end:
            time.sleep(rng.uniform(0, 0.2))
            kill_clients(server, rng, 10)
            herd.kill_one()


def http_killed(seconds):
    """Clients killed at random: no descriptor, task or memory is lost; the leaks of an ASan build are in the status."""
    rng = random.Random(3)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "large").write_bytes(bytes(2_000_000))
        (Path(folder) / "small").write_bytes(b"small\n")
        with Server(example("http"), "0", folder) as server:
            descriptors = server.descriptors()
            tasks = server.tasks() if WEFT.exists() else None
            # Once a phase is over its peak goes back to the kernel, but for some warm stacks. Pages of files are not
            # its own. What a sanitizer keeps of what was freed is LeakSanitizer's to tell.
            program = Path(example("http")).read_bytes()
            most = anonymous_kib(server.process.pid) + KEPT_KIB
            for _ in range(PHASES):
                harass(server, rng, folder, seconds / PHASES)
                await_descriptors(server, descriptors)
                if tasks:
                    await_no_more("tasks", server.tasks, tasks)
                if b"__tsan_init" not in program and b"__asan_init" not in program:
                    await_no_more("KiB", lambda: anonymous_kib(server.process.pid), most)
            with server.dial() as s:
                s.sendall(b"GET /large HTTP/1.0\r\n\r\n")
                expect("it still serves", len(http_answer(s)[1]), 2_000_000)
            await_descriptors(server, descriptors)
            server.end()


def anonymous_kib(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status", encoding="ascii") if
                line.startswith("RssAnon:"))


def kill_clients(server, rng, count):
    clients = []
    for _ in range(count):
        s = server.dial()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request = rng.choice([b"GET /large HTTP/1.1\r\n\r\n" * 3, b"GET /lar",
                              b"POST /echo HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + b"y" * 40000, b""])
        s.sendall(request)
        clients.append(s)
    rng.shuffle(clients)
    for s in clients:
        if rng.random() < 0.5:
            s.setblocking(False)
            try:
                s.recv(rng.randrange(1, 100000))
            except BlockingIOError:
                pass
        s.close()  # with a reset


# ---- a request with a limit ----


def page(limit, **environment):
    """Which parts came, by name. The run ends, though one service hangs."""
    run = subprocess.run([example("deadline"), str(limit)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         timeout=120, check=True, env={**os.environ, **environment})
    return {name: word == "came" for name, word in (line.split(": ") for line in run.stdout.splitlines())}


def deadline():
    parts = ["header", "news", "sport", "weather", "footer"]
    expect("the parts of a page, whatever came", list(page(100)), parts)
    for seed in range(1, 9):  # a virtual clock: what comes does not depend on the machine
        expect("all but the part that hangs", page(100, WEFT_SIM=str(seed)), {p: p != "weather" for p in parts})
        expect("no time, no part", page(0, WEFT_SIM=str(seed)), dict.fromkeys(parts, False))
        expect("an hour and more", page(4000000, WEFT_SIM=str(seed)), dict.fromkeys(parts, True))


def guest():
    with tempfile.TemporaryDirectory() as folder:
        lines = {f"{folder}/{n}": n * n for n in range(300)}
        for path, count in lines.items():
            Path(path).write_text("a line\n" * count + "no line")
        got = subprocess.run([example("guest"), *lines], capture_output=True, text=True, timeout=LIMIT, check=True)
        expect("each file's lines", got.stdout, "".join(f"{count:8} {path}\n" for path, count in lines.items()))
        got = subprocess.run([example("guest"), folder, f"{folder}/9", f"{folder}/none"], capture_output=True, text=True,
                             timeout=LIMIT, check=False)
        expect("what can be read", got.stdout, f"      81 {folder}/9\n")
        expect("what cannot", (got.returncode, len(got.stderr.splitlines())), (1, 2))


# ---- Redis ----


def pubsub():
    if not redis_program():
        print("skipped: no redis-server")
        sys.exit(77)
    program = example("pubsub")
    with tempfile.TemporaryDirectory() as folder, redis_server(folder) as redis, Server(program, "0", redis) as one, \
            Server(program, "0", redis) as other:
        before = one.descriptors()
        speaker, *members = [server.dial() for server in (one, one, other, other)]
        stranger = other.dial()
        stranger.sendall(b"join elsewhere\n")
        for n, member in enumerate((speaker, *members)):  # heard by itself: it is in, and so is Redis
            member.sendall(b"join here\n")
            heard, tries = b"", 0
            while f"ready {n}\n".encode() not in heard and (tries := tries + 1) < 1000:
                member.sendall(f"say ready {n}\n".encode())
                heard += member.recv(65536)
        texts = b"".join(b"text %d\n" % n for n in range(500))
        speaker.sendall(b"say " + texts[:-1].replace(b"\n", b"\nsay ") + b"\n")
        for member in members:
            heard = b""
            while not heard.endswith(b"text 499\n") and (got := member.recv(65536)):
                heard += got
            expect("what was said, in order", heard[heard.index(b"text 0\n"):], texts)
        speaker.sendall(b"no such word\n")
        expect("the end of who makes no sense", read_all(speaker)[-1:] in (b"\n", b""), True)
        expect("what is said elsewhere", select.select([stranger], [], [], 0)[0], [])
        for s in (stranger, *members):
            s.close()
        await_descriptors(one, before + 1)  # the connection that speaks
        for server in (one, other):
            server.end()


# ---- PostgreSQL ----


def jobs():
    if not postgres_program("postgres"):
        print("skipped: no postgresql")
        sys.exit(77)
    program, works = example("jobs"), [0, 3, 100, 1000, 20000] * 40
    count = {n: sum(all(i % d for d in range(2, int(i**0.5) + 1)) for i in range(2, n)) for n in set(works)}
    with postgres() as (info, ask), Server(program, info, "8") as server:
        expect("it is ready", server.line, "ready")
        for i in range(0, len(works), 50):
            ask("INSERT INTO jobs (work) VALUES " + ",".join(f"({n})" for n in works[i:i + 50]) + "; NOTIFY jobs")
            # what has lost its connections finds new ones
            ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jobs' LIMIT 4")
        for _ in range(600):
            if ask("SELECT count(*) FROM jobs WHERE result IS NULL") == "0":
                break
            time.sleep(0.1)
        expect("the results", ask("SELECT string_agg(result::text, ' ' ORDER BY id) FROM jobs"),
               " ".join(str(count[n]) for n in works))
        ask("INSERT INTO jobs (work) SELECT 300000 FROM generate_series(1, 40); NOTIFY jobs")
        time.sleep(0.2)
        server.end()
        expect("no job is half done", ask("SELECT count(*) FROM pg_locks WHERE relation = 'jobs'::regclass"), "0")


CASES = {"sieve": sieve, "checksum": checksum, "sqlite_pool": sqlite_pool, "libraries": libraries, "crawler": crawler,
         "daemon": daemon, "deadline": deadline, "guest": guest, "jobs": jobs, "memo": memo, "proxy": proxy,
         "pubsub": pubsub,
         "proxy_drained": proxy_drained, "http": http,
         "http_drained": http_drained, "http_killed": lambda: http_killed(float(sys.argv[3]))}

CASES[sys.argv[2]]()
