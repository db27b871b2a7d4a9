# SPDX-License-Identifier: MIT
"""unbound with four threads: names of its own and names that it asks another server for, by UDP and TCP.

    python3 unbound_test.py [--weft WEFT] [--hubs 1,2] [--clients N] [--rounds N]
"""

import contextlib
import hashlib
import os
import signal
import socket
import socketserver
import struct

import support
from support import check, in_threads, started, wait_until

CONFIG = """\
server:
  do-daemonize: no
  num-threads: 4
  interface: 127.0.0.1
  port: {port}
  chroot: ""
  username: ""
  directory: "{directory}"
  pidfile: "{directory}/pid"
  use-syslog: no
  verbosity: 1
  do-ip6: no
  module-config: "iterator"
  do-not-query-localhost: no
  incoming-num-tcp: 200
  local-zone: "test." nodefault
  local-zone: "near.test." static
{names}
forward-zone:
  name: "far.test."
  forward-addr: 127.0.0.1@{far}
remote-control:
  control-enable: no
"""


def address_of(name):
    return hashlib.sha256(name.encode()).digest()[:4]


def question(name, number):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def name_in(packet):
    """The name that is asked for, and where its question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), at + 5


class Far(socketserver.BaseRequestHandler):
    """The other server: it knows every name, by its hash."""

    def handle(self):
        packet, out = self.request
        name, end = name_in(packet)
        head = packet[:2] + struct.pack(">5H", 0x8480, 1, 1, 0, 0)
        record = struct.pack(">3HIH", 0xC00C, 1, 1, 3600, 4) + address_of(name.lower())
        out.sendto(head + packet[12:end] + record, self.client_address)


def far_server():
    server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Far)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return support.serving(server)


class Client:
    """Asks again where a datagram was lost, or where the server closed its connection, which it may do at any time (RFC 7766)."""

    def __init__(self, port, kind):
        self.port, self.kind = port, kind
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_INET, self.kind)
        self.socket.settimeout(10 if self.kind == socket.SOCK_DGRAM else 60)
        self.socket.connect(("127.0.0.1", self.port))

    def ask(self, name, number):
        packet = question(name, number)
        for _ in range(6):
            with contextlib.suppress(TimeoutError, ConnectionError):
                said = self.by_stream(packet) if self.kind == socket.SOCK_STREAM else self.by_datagram(packet)
                got, flags, _, count, _, _ = struct.unpack_from(">6H", said)
                check(got == number and flags & 0x8000, f"{name}: an answer to {got}, asked {number}")
                return flags & 15, said[name_in(said)[1] + 12:][:4] if count else b""
            self.close()
            self.connect()
        raise support.Failure(f"{name}: six questions without an answer")

    def by_datagram(self, packet):
        self.socket.send(packet)
        return self.socket.recv(4096)

    def by_stream(self, packet):
        self.socket.sendall(struct.pack(">H", len(packet)) + packet)
        return self.receive(struct.unpack(">H", self.receive(2))[0])

    def receive(self, size):
        said = b""
        while len(said) < size:
            part = self.socket.recv(size - len(said))
            if not part:
                raise ConnectionError("closed")
            said += part
        return said

    def close(self):
        self.socket.close()


def session(port, index, rounds):
    client = Client(port, socket.SOCK_STREAM if index % 3 == 0 else socket.SOCK_DGRAM)
    for step in range(rounds):
        number = index * 1000 + step
        near = f"n{(index + step) % 50}.near.test"
        check(client.ask(near, number + 100) == (0, address_of(near)), f"the address of {near}")
        far = f"h{(index * 7 + step) % 120}.far.test"
        got = client.ask(far, number + 200)
        check(got == (0, address_of(far)), f"the address of {far}: {got}")
        check(client.ask(f"missing{step}.near.test", number + 300) == (3, b""), "a name that there is not")
    client.close()


def starts(server):
    """How often all of its threads have been started; connections that it had before are reset."""
    return server.errors().count("start of service")


def body(mode, args):
    port = support.free_port()
    names = "\n".join(f'  local-data: "n{i}.near.test. A {socket.inet_ntoa(address_of(f"n{i}.near.test"))}"'
                      for i in range(50))
    with support.workspace("unbound") as directory, far_server() as far:
        config = os.path.join(directory, "config")
        with open(config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(port=port, directory=directory, names=names, far=far))
        with started(mode.command(["unbound", "-d", "-c", config]), directory, "unbound") as server:
            for generation in (1, 2):
                wait_until(lambda: starts(server) == generation or not server.alive(), 60, f"unbound starts\n{server.tail()}")
                in_threads(args.clients, lambda index: session(port, index, args.rounds))
                mode.check_threads(server.pid, 4, "unbound")
                server.popen.send_signal(signal.SIGHUP)  # all threads end, and new ones begin
            wait_until(lambda: starts(server) == 3 or not server.alive(), 60, f"unbound starts again\n{server.tail()}")
            server.stop(60)
            return args.clients * args.rounds


def main():
    args = support.parse(__doc__.splitlines()[0], support.load(clients=60, rounds=10))
    support.skip_without("unbound", "unbound")
    support.run_modes(args, lambda mode: body(mode, args))


if __name__ == "__main__":
    support.main(main)
