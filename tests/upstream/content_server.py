# SPDX-License-Identifier: MIT
"""A small HTTP server for the proxy and download tests, where /SIZE/SEED answers with SIZE known bytes, and curl to ask it."""

import hashlib
import http.server
import os
import sys
import tempfile

import support
from support import check


def content(size, seed):
    block = hashlib.sha256(f"{seed}".encode()).digest()
    return (block * (size // len(block) + 1))[:size]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 120

    def do_GET(self):
        size, seed = self.path.strip("/").split("/")[-2:]
        body = content(int(size), seed)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a proxy that ends leaves its idle connections
            super().handle_error(request, client_address)


def serving(address="127.0.0.1"):
    """The port of a running server, for a `with`."""
    return support.serving(Server((address, 0), Handler))


def urls(base, count):
    """[(url, content hash)] of very different sizes."""
    for index in range(count):
        size = size_of(index)
        digest = hashlib.sha256(content(size, str(index))).hexdigest()
        yield f"{base}/{size}/{index}", digest


def size_of(index):
    return (index * 7919) % 90000 + (index % 10 == 0) * 400000


def write_files(directory, count):
    """The contents of the first `count` addresses, for a server of files."""
    for index in range(count):
        folder = os.path.join(directory, str(size_of(index)))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, str(index)), "wb") as out:
            out.write(content(size_of(index), str(index)))


def download(mode, directory, base, *options, count=150, threads=0):
    """One curl for so many addresses below `base`, a hundred at a time; says how many contents were right. It makes
    `threads` threads or more."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        wanted = list(urls(base, count))
        config = os.path.join(folder, "curl.conf")
        with open(config, "w", encoding="utf-8") as out:
            for index, (url, _) in enumerate(wanted):
                out.write(f'url = "{url}"\noutput = "{folder}/{index}"\n')
        report = os.path.join(folder, "report")
        command = mode.reporting(["curl", "--fail", "--silent", "--show-error", "--parallel", "--parallel-max", "100",
                                  "--max-time", "100", *options, "-K", config], report)
        with support.started(command, folder, "curl") as curl:
            def ended():
                if mode.hubs:
                    mode.check_threads(curl.pid, 0, "curl")
                return not curl.alive()

            support.wait_until(ended, 120, "the end of curl")
            curl.expect(0)
        if threads:
            mode.check_report(report, "curl", threads)
        for index, (url, digest) in enumerate(wanted):
            with open(os.path.join(folder, str(index)), "rb") as got:
                check(hashlib.sha256(got.read()).hexdigest() == digest, f"the content of {url} differs")
    return f"{count} contents"
