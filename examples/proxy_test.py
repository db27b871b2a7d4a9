#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives examples/proxy: SOCKS5 by address and by name, refusals, half-closed connections, and plain forwarding.

    proxy_test.py PROGRAM
"""
import socket
import struct
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import harness  # noqa: E402

PATIENCE = 20


def exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        assert part, f"the end after {data!r}"
        data += part
    return data


def until_end(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


class Reversing:
    """Reads to the end, answers with the bytes reversed: only who half-closes gets an answer."""

    def __init__(self):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            threading.Thread(target=self.answer, args=self.door.accept()[:1], daemon=True).start()

    @staticmethod
    def answer(sock):
        with sock:
            sock.sendall(until_end(sock)[::-1])


def socks(proxy_port, request):
    sock = socket.create_connection(("127.0.0.1", proxy_port), PATIENCE)
    sock.sendall(b"\x05\x02\x02\x00")
    assert exactly(sock, 2) == b"\x05\x00"
    sock.sendall(b"\x05" + request)
    reply = exactly(sock, 10)
    return sock, reply[1]


def ask(sock, message):
    sock.sendall(message)
    sock.shutdown(socket.SHUT_WR)
    answer = until_end(sock)
    sock.close()
    return answer


def main(program):
    there = Reversing()
    port = struct.pack(">H", there.port)
    unused = socket.socket()
    unused.bind(("127.0.0.1", 0))
    long_message = bytes(range(256)) * 8192
    with harness.Server([program]) as proxy:
        by_address, reply = socks(proxy.port, b"\x01\x00\x01\x7f\x00\x00\x01" + port)
        by_name, second = socks(proxy.port, b"\x01\x00\x03\x09localhost" + port)
        assert (reply, second) == (0, 0), (reply, second)
        assert ask(by_name, b"name") == b"eman"
        assert ask(by_address, long_message) == long_message[::-1]
        refused = b"\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", unused.getsockname()[1])
        assert socks(proxy.port, refused)[1] == 5
        assert socks(proxy.port, b"\x02\x00\x01\x7f\x00\x00\x01" + port)[1] == 7, "BIND"
        assert socks(proxy.port, b"\x01\x00\x09")[1] == 8, "an unknown kind of address"
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as sock:
            sock.sendall(b"\x05\x01\x02")
            assert exactly(sock, 2) == b"\x05\xff", "a password is nothing we know"
            assert until_end(sock) == b""
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                assert until_end(sock) == b"", "not SOCKS5"
            except ConnectionResetError:
                pass
        assert proxy.stop() == 0
    with harness.Server([program, "--to", f"localhost:{there.port}"]) as proxy:
        sock = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
        assert ask(sock, long_message) == long_message[::-1]
        assert proxy.stop() == 0


if __name__ == "__main__":
    main(sys.argv[1])
