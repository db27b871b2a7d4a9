#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives examples/prefork: every worker serves, a dead one is replaced, all end with the first.

    prefork_test.py PROGRAM
"""
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import harness  # noqa: E402

PATIENCE = 20


class Client:
    """A connection and the worker that serves it: with a limit of 1 that one serves nobody else meanwhile."""

    def __init__(self, port):
        self.stream = socket.create_connection(("127.0.0.1", port), PATIENCE).makefile("rwb")
        self.worker = int(self.stream.readline())
        self.stream.write(b"echo\n")
        self.stream.flush()
        assert self.stream.readline() == b"echo\n"


def main(program):
    with harness.Server([program, "--workers", "3", "--limit", "1"]) as server:
        clients = [Client(server.port) for _ in range(3)]
        workers = {client.worker for client in clients}
        assert len(workers) == 3 and server.pid not in workers, workers
        os.kill(clients[0].worker, signal.SIGKILL)
        fresh = Client(server.port)  # all others are busy
        assert fresh.worker not in workers, (fresh.worker, workers)
        assert server.stop() == 0
        for worker in workers | {fresh.worker}:
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                continue
            raise AssertionError(f"worker {worker} is still there")


if __name__ == "__main__":
    main(sys.argv[1])
