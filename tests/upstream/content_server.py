# SPDX-License-Identifier: MIT
"""A small HTTP server for the proxy and download tests: /SIZE/SEED answers with SIZE known bytes."""

import contextlib
import hashlib
import http.server
import threading


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


@contextlib.contextmanager
def serving():
    """The port of a running server."""
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def urls(scheme, host, port, count):
    """[(url, content hash)] of very different sizes."""
    for index in range(count):
        size = (index * 7919) % 90000 + (index % 10 == 0) * 400000
        digest = hashlib.sha256(content(size, str(index))).hexdigest()
        yield f"{scheme}://{host}:{port}/{size}/{index}", digest
