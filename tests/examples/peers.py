# SPDX-License-Identifier: MIT
"""The servers that the examples talk to: pages over HTTPS, lines over TLS, Redis, PostgreSQL."""
import contextlib
import os
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path


class Pages(BaseHTTPRequestHandler):
    """What it is asked for, after a while."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        time.sleep(0.05)
        body = f"this is {self.path}\n".encode()
        self.server.served.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Echo(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            time.sleep(0.05)
            self.server.served.append(line)
            self.wfile.write(line)


class TlsServer(socketserver.ThreadingTCPServer):
    """A thread per connection; .served collects what was asked for."""
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, handler, certificate):
        super().__init__(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.served = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def port(self):
        return str(self.server_address[1])

    def handle_error(self, *_):
        pass  # the client tells


def new_certificate(path):
    """Its own authority, for 127.0.0.1; the key is in the same file."""
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-days", "2", "-subj", "/CN=weft", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    f"{path}.key", "-out", path], stderr=subprocess.DEVNULL, check=True)
    with open(path, "a", encoding="ascii") as certificate:
        certificate.write(Path(f"{path}.key").read_text(encoding="ascii"))
    return path


def redis_program():
    """redis-server and redis-check-rdb are one program, whose first argument says which it is."""
    return shutil.which("redis-server") or shutil.which("redis-check-rdb")


@contextlib.contextmanager
def redis_server(folder):
    for _ in range(5):  # another process may take the port meanwhile
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        process = subprocess.Popen(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                                   executable=redis_program(), stdout=subprocess.PIPE, text=True)
        if any("Ready to accept connections" in line for line in process.stdout):
            break
        process.wait()
    else:
        sys.exit("FAILED: redis-server does not start")
    try:
        yield port
    finally:
        process.kill()
        process.communicate()


def postgres_program(name):
    """Debian keeps its programs outside of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@contextlib.contextmanager
def postgres():
    """How to connect, and a function that asks and returns the first value. It refuses to run as root."""
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        if nobody:
            shutil.chown(folder, "nobody", "nogroup")
        subprocess.run([postgres_program("initdb"), "-D", f"{folder}/data", "-U", "weft", "-A", "trust", "-E", "UTF8",
                        "--no-locale", "--no-sync"], stdout=subprocess.DEVNULL, check=True, **nobody)
        process = subprocess.Popen([postgres_program("postgres"), "-D", f"{folder}/data", "-h", "", "-k", folder, "-F", "-c",
                                    "log_min_messages=panic"], **nobody)
        info = f"host={folder} user=weft dbname=postgres"

        def ask(command):
            run = subprocess.run([postgres_program("psql"), "-Atqc", command, info], stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.PIPE, check=False)
            if run.returncode:
                raise RuntimeError(run.stderr)
            return run.stdout.strip()

        try:
            for _ in range(600):
                if subprocess.run([postgres_program("pg_isready"), "-q", "-d", info], check=False).returncode == 0:
                    break
                time.sleep(0.1)
            yield f"{info} application_name=jobs", ask
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()
