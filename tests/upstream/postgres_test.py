# SPDX-License-Identifier: MIT
"""PostgreSQL, a process for each connection, and pgbench with four threads and fifty connections, both in the mode.

    python3 postgres_test.py [--weft WEFT] [--hubs 1,2] [--transactions N]
"""

import glob
import os
import shutil
import signal

import support
from support import check, output_of, started, wait_until

CLIENTS = 50

# What pgbench's transactions leave, in whatever order they came.
SUMS = """
SELECT count(*), count(DISTINCT tid) <= 10 FROM pgbench_history;
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
       (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches),
       (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history);
"""

# A query that the server shares among processes.
PARALLEL = """
SET max_parallel_workers_per_gather = 3; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT count(*), sum(hashtext(filler || aid)) FROM pgbench_accounts;
"""


class Database:
    """A server's data in a folder of its own, run as `postgres` where this is run by root, which it refuses."""

    def __init__(self, mode, directory):
        self.mode, self.directory = mode, directory
        self.programs = programs()
        self.home = os.path.join(directory, "home")
        os.mkdir(self.home)
        self.place = ["-h", self.home, "-U", "weft"]
        self.as_user = []
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres", "postgres")
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]

    def make(self):
        self.run("initdb", "--no-sync", "--auth=trust", "--username=weft", "--encoding=UTF8", "--no-locale",
                 f"--pgdata={self.home}/data")

    def run(self, program, *arguments):
        return output_of([*self.as_user, f"{self.programs}/{program}", *arguments], self.directory, program, 100,
                         cwd=self.home)

    def serving(self, name):
        command = [f"{self.programs}/postgres", "-D", f"{self.home}/data", "-k", self.home, "-c", "listen_addresses=",
                   "-c", f"max_connections={CLIENTS + 20}", "-c", "fsync=off", "-c", "max_worker_processes=8"]
        return started([*self.as_user, *self.mode.command(command)], self.directory, name, cwd=self.home)

    def ask(self, queries):
        return self.run("psql", *self.place, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", queries, "postgres")

    def answers(self):
        try:
            with open(f"{self.home}/data/postmaster.pid", encoding="utf-8") as state:
                return "ready" in state.read()
        except FileNotFoundError:
            return False

    def load(self, *options):
        """pgbench's transactions, from threads of a process in the mode."""
        report = os.path.join(self.directory, "report")
        said = output_of(self.mode.reporting([f"{self.programs}/pgbench", *self.place, "-n", "-c", str(CLIENTS), "-j",
                                              "4", *options, "postgres"], report), self.directory, "pgbench", 200)
        self.mode.check_report(report, "pgbench", 3)
        check("number of failed transactions: 0 (0.000%)" in said, f"pgbench said\n{said}")
        return [line for line in said.splitlines() if line.startswith("number of")]


def programs():
    """The folder of the newest server's programs, which are in no PATH."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    check(found, "no server in /usr/lib/postgresql: install the Debian package postgresql")
    return os.path.dirname(found[-1])


def body(mode, args):
    with support.workspace("postgres") as directory:
        database = Database(mode, directory)
        database.make()
        with database.serving("postgres-1") as server:
            ready(database, server)
            database.run("pgbench", *database.place, "-i", "-q", "-s", "1", "postgres")
            said = database.load("-t", str(args.transactions))
            said += database.load("-t", "2", "-C")
            mode.check_threads(server.pid, 1, "postgres")
            parallel = database.ask(PARALLEL)
            sums = database.ask(SUMS)
            check(sums == f"{CLIENTS * (args.transactions + 2)}|t\nt|t|t\n", f"pgbench left\n{sums}")
            stop(server)
        with database.serving("postgres-2") as server:
            ready(database, server)
            check(database.ask(SUMS) == sums, "the sums differ after a restart")
            stop(server)
        return said, parallel, sums


def ready(database, server):
    wait_until(lambda: database.answers() or not server.alive(), 60, f"postgres is ready\n{server.tail()}")
    check(server.alive(), server.tail())


def stop(server):
    server.stop(60, signal.SIGINT)  # its fast shutdown
    check("database system is shut down" in server.errors(), f"no clean shutdown\n{server.tail()}")


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("--transactions", type=int, default=10))
    support.need("postgresql", "pgbench", "/usr/lib/postgresql")
    support.run_modes(args, lambda mode: body(mode, args))


if __name__ == "__main__":
    support.main(main)
