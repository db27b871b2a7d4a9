# SPDX-License-Identifier: MIT
"""redis-server with four threads for its sockets and three for work behind, its forked savers and its own clients.

    python3 redis_test.py [--weft WEFT] [--hubs 1,2] [--requests N]
"""

import os

import support
from support import check, output_of, started, wait_until

# The threads of a redis-server: its main one, the others of io-threads, and three that close, sync and free.
THREADS = 1 + 3 + 3
BENCHMARKS = ["PING_INLINE", "SET", "GET", "LPUSH", "ZADD", "LRANGE_100", "MSET"]

# What is sent to one redis-cli, and what it says to each line.
COMMANDS = [
    ("SET greeting hello", "OK"),
    ("APPEND greeting ' world'", "11"),
    ("GETRANGE greeting 6 -1", "world"),
    ("SETBIT bits 100 1", "0"),
    ("BITCOUNT bits", "1"),
    ("INCRBYFLOAT amount 2.5", "2.5"),
    ("SET once 1 NX EX 100", "OK"),
    ("SET once 2 NX", ""),
    ("TTL once", "100"),
    ("RPUSH list c a d b", "4"),
    ("SORT list ALPHA DESC", "d\nc\nb\na"),
    ("LMOVE list other LEFT RIGHT", "c"),
    ("BLPOP other 1", "other\nc"),
    ("BLPOP other 0.01", ""),
    ("SADD s1 1 2 3", "3"),
    ("SADD s2 2 3 4", "3"),
    ("SINTERCARD 2 s1 s2", "2"),
    ("HSET hash a 1 b 2", "2"),
    ("HINCRBY hash b 40", "42"),
    ("ZADD scores 3 three 1 one 2 two", "3"),
    ("ZRANGE scores (1 3 BYSCORE", "two\nthree"),
    ("XADD stream 1-1 field value", "1-1"),
    ("XLEN stream", "1"),
    ("PFADD seen a b c", "1"),
    ("PFCOUNT seen", "3"),
    ("GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "2"),
    ("GEODIST places Palermo Catania km", "166.2742"),
    ("MULTI", "OK"),
    ("INCR in-one", "QUEUED"),
    ("INCR in-one", "QUEUED"),
    ("EXEC", "1\n2"),
    ("EVAL \"return redis.call('incrby', KEYS[1], ARGV[1])\" 1 scripted 7", "7"),
    ("EXISTS greeting missing", "1"),
    ("RENAME greeting renamed", "OK"),
    ("TYPE renamed", "string"),
    ("INCR renamed", "ERR value is not an integer or out of range\n"),
]


class Server:
    """A redis-server in a folder of its own, asked through redis-cli."""

    def __init__(self, mode, directory, process, port):
        self.mode, self.directory, self.process, self.port = mode, directory, process, port

    def cli(self, *arguments, **options):
        return output_of(["redis-cli", "-p", str(self.port), *arguments], self.directory, "redis-cli", 60, **options)

    def info(self, section):
        lines = (line.partition(":") for line in self.cli("INFO", section).splitlines())
        return {name: value for name, _, value in lines}

    def answers(self):
        return support.listening(self.port) and self.cli("PING") == "PONG\n"


def command(directory, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--io-threads", "4",
            "--io-threads-do-reads", "yes", "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            "--enable-debug-command", "yes", "--maxclients", "1000"]


def serving(mode, directory, port, name):
    return started(mode.command(command(directory, port)), directory, name)


def benchmark(server, requests):
    """redis-benchmark, itself in the mode, with threads of its own: an answer for each of its tests."""
    report = output_of(server.mode.command(
        ["redis-benchmark", "-p", str(server.port), "--threads", "4", "-c", "50", "-P", "8", "-n", str(requests), "-r",
         "1000", "--csv", "-t", ",".join(name.lower() for name in BENCHMARKS)]), server.directory, "benchmark", 120)
    names = [line.split(",")[0].strip('"').split(" ")[0] for line in report.splitlines()[1:]]
    missing = [name for name in BENCHMARKS if name not in names]
    check(not missing, f"redis-benchmark left out {missing}:\n{report}")


def conversation(server):
    """Each command's answer, over one connection."""
    script = os.path.join(server.directory, "commands")
    with open(script, "w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line, _ in COMMANDS)
    with open(script, "rb") as lines:
        said = server.cli(stdin=lines)
    expected = "".join(f"{answer}\n" for _, answer in COMMANDS)
    check(said == expected, f"redis-cli was answered otherwise:\n{support.difference(expected, said)}")
    return said


def save(server):
    """The two savers that are forked from a process with threads."""
    for ask, running, status in (("BGSAVE", "rdb_bgsave_in_progress", "rdb_last_bgsave_status"),
                                 ("BGREWRITEAOF", "aof_rewrite_in_progress", "aof_last_bgrewrite_status")):
        server.cli(ask)
        wait_until(lambda name=running: server.info("persistence")[name] == "0", 60, ask)
        told = server.info("persistence")[status]
        check(told == "ok", f"{ask}: {told}\n{server.process.tail()}")


def free_behind(server):
    """What is large is freed by a thread of its own."""
    server.cli("FLUSHALL", "SYNC")
    server.cli("CONFIG", "RESETSTAT")
    server.cli("EVAL", "for i = 1, 20000 do redis.call('sadd', 'large', 'member' .. i) end", "0")
    check(server.cli("UNLINK", "large") == "1\n", "UNLINK")
    wait_until(lambda: server.info("memory")["lazyfreed_objects"] == "1", 60, "an object freed behind")


def first_run(mode, directory, port, args):
    with serving(mode, directory, port, "redis-1") as process:
        server = Server(mode, directory, process, port)
        wait_until(lambda: server.answers() or not process.alive(), 30, f"redis answers\n{process.tail()}")
        benchmark(server, args.requests)
        mode.check_threads(process.pid, THREADS, "redis-server")
        free_behind(server)
        said = conversation(server)
        save(server)
        digest = server.cli("DEBUG", "DIGEST-VALUE", "list", "scores", "hash", "stream")
        server.cli("SHUTDOWN")
        process.expect(60)
        check("bye bye" in process.output(), f"no clean shutdown\n{process.tail()}")
        return said, digest


def second_run(mode, directory, port):
    """What was written is there again, and a signal ends it as cleanly."""
    with serving(mode, directory, port, "redis-2") as process:
        server = Server(mode, directory, process, port)
        wait_until(lambda: server.answers() or not process.alive(), 30, f"redis answers\n{process.tail()}")
        digest = server.cli("DEBUG", "DIGEST-VALUE", "list", "scores", "hash", "stream")
        process.stop(60)
        check("bye bye" in process.output(), f"no clean shutdown\n{process.tail()}")
        return digest


def body(mode, args):
    with support.workspace("redis") as directory:
        port = support.free_port()
        said, digest = first_run(mode, directory, port, args)
        again = second_run(mode, directory, port)
        check(digest == again, f"{digest!r} before the restart, {again!r} after it")
        return said, digest


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("--requests", type=int, default=1000))
    support.need("redis-server", "redis-server")
    support.need("redis-tools", "redis-cli", "redis-benchmark")
    support.run_modes(args, lambda mode: body(mode, args))


if __name__ == "__main__":
    support.main(main)
