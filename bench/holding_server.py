#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The measure of what sockets alone cost: one thread that answers the first message of each connection and
then only holds it. No thread and no epoll entry belongs to a connection.
"""
import signal
import socket
import sys

import harness


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    harness.raise_open_files()
    held = []
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        print(f"listening on {listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            connection.sendall(connection.recv(65536))
            held.append(connection)


if __name__ == "__main__":
    main()
