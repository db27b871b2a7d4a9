# SPDX-License-Identifier: MIT
"""memcached with four worker threads under many checking clients, and its shutdown by SIGTERM.

    python3 memcached_test.py [--weft WEFT] [--hubs 1,2] [--clients N] [--rounds N]
"""

import hashlib
import socket
import threading

import support
from support import check, in_threads, listening, started, wait_until


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline().rstrip(b"\r\n")

    def ask(self, data):
        self.send(data)
        return self.line()

    def store(self, verb, key, value, unique=b""):
        return self.ask(b"%s %s 0 0 %d%s\r\n%s\r\n" % (verb, key, len(value),
                                                      b" " + unique if unique else b"", value))

    def get(self, verb, *keys):
        """{key: (value, unique)}"""
        self.send(verb + b" " + b" ".join(keys) + b"\r\n")
        found = {}
        while (line := self.line()) != b"END":
            words = line.split()
            check(words and words[0] == b"VALUE", f"answer to a get: {line}")
            value = self.file.read(int(words[3]) + 2)
            check(value.endswith(b"\r\n"), "a value without its end")
            found[words[1]] = (value[:-2], words[4] if len(words) > 4 else b"")
        return found

    def close(self):
        self.file.close()
        self.socket.close()


def value_of(index, step):
    seed = hashlib.sha256(b"%d/%d" % (index, step)).hexdigest().encode()
    return seed * (1 + (index * 7 + step * 131) % 700)  # up to 44 KiB: more than one segment


def expect(got, want):
    check(got == want, f"got {got[:80]!r}, not {want[:80]!r}")


def session(port, index, rounds, together):
    client = Client(port)
    together.wait(60)
    for step in range(rounds):
        key = b"own:%d:%d" % (index, step)
        value = value_of(index, step)
        expect(client.store(b"set", key, value), b"STORED")
        expect(client.get(b"get", key)[key][0], value)
        expect(client.store(b"add", key, b"x"), b"NOT_STORED")
        expect(client.store(b"append", key, b"+"), b"STORED")
        both = client.get(b"get", key, b"missing:" + key)
        check(list(both) == [key] and both[key][0] == value + b"+", "an appended value")
        check(int(client.ask(b"incr shared 1\r\n")) > 0, "incr")
        while True:
            old, unique = client.get(b"gets", b"swapped")[b"swapped"]
            answer = client.store(b"cas", b"swapped", b"%d" % (int(old) + 1), unique)
            if answer == b"STORED":
                break
            expect(answer, b"EXISTS")
        if step % 2:
            expect(client.ask(b"delete %s\r\n" % key), b"DELETED")
            check(not client.get(b"get", key), "a deleted value")
    # Many requests in one segment, answered in order.
    client.send(b"".join(b"set p:%d:%d 0 0 1\r\n%d\r\n" % (index, n, n) for n in range(10)))
    check([client.line() for _ in range(10)] == [b"STORED"] * 10, "a pipeline of sets")
    client.close()


def body(mode, args):
    port = support.free_port()
    with support.workspace("memcached") as directory:
        command = mode.command(["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port),
                                "-U", "0", "-t", "4", "-c", str(args.clients + 100)])
        with started(command, directory, "memcached") as server:
            wait_until(lambda: listening(port) or not server.alive(), 30, "memcached listens")
            first = Client(port)
            expect(first.store(b"set", b"shared", b"0"), b"STORED")
            expect(first.store(b"set", b"swapped", b"0"), b"STORED")
            together = threading.Barrier(args.clients)
            in_threads(args.clients,
                       lambda index: session(port, index, args.rounds, together))
            mode.check_threads(server.pid, 5, "memcached")
            kept = first.get(b"get", b"shared", b"swapped")
            counts = {key.decode(): int(value[0]) for key, value in kept.items()}
            total = args.clients * args.rounds
            check(counts == {"shared": total, "swapped": total}, f"{counts}, expected {total}")
            expired = first.ask(b"set soon 0 -1 1\r\nx\r\n")
            expect(expired, b"STORED")
            check(not first.get(b"get", b"soon"), "an expired value")
            first.close()
            server.stop(30)
            return counts


def main():
    args = support.parse(__doc__.splitlines()[0], support.load(clients=150, rounds=10))
    support.need("memcached", "memcached")
    support.run_modes(args, lambda mode: body(mode, args))


if __name__ == "__main__":
    support.main(main)
