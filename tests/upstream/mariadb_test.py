# SPDX-License-Identifier: MIT
"""mariadbd with hundreds of connections that write rows and read them back, and its shutdown.

    python3 mariadb_test.py [--weft WEFT] [--hubs 1,2] [--connections 500] [--rounds N]

The server is started twice on its data: the first run ends by mariadb-admin shutdown, the second,
which finds every row again, by SIGTERM.
"""

import hashlib
import os
import shutil
import subprocess
import threading

import support
from mariadb_wire import Connection, ServerError
from support import Failure, check, in_threads, started, wait_until

SERVER = "/usr/sbin/mariadbd"
DEADLOCK = 1213  # InnoDB's own answer to a cycle: the client tries again


def install(directory):
    """A fresh data directory, made natively."""
    data = os.path.join(directory, "data")
    done = subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}",
         "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
         "--innodb-log-file-size=16M"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    check(done.returncode == 0, f"mariadb-install-db failed:\n{done.stdout}")
    return data


def command(directory, data, port, connections):
    return [SERVER, "--no-defaults", "--user=root", f"--datadir={data}",
            f"--socket={directory}/socket", f"--port={port}", "--bind-address=127.0.0.1",
            f"--pid-file={directory}/pid", f"--max-connections={connections + 20}",
            f"--back-log={connections + 20}", "--open-files-limit=8192", "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=2", "--innodb-lock-wait-timeout=100",
            "--skip-log-bin"]


def payload(index, step):
    return hashlib.sha256(f"{index}/{step}".encode()).hexdigest() * (1 + (index + step) % 40)


def transfer(connection, index, step):
    """One row moves a unit to another, in a transaction; the sum of all stays what it was."""
    source, target = (index + step) % 50, (index * 31 + step) % 50
    for _ in range(100):
        try:
            connection.query("START TRANSACTION")
            for row in sorted({source, target}):
                connection.query(f"SELECT amount FROM accounts WHERE id={row} FOR UPDATE")
            connection.query(f"UPDATE accounts SET amount=amount-1 WHERE id={source}")
            connection.query(f"UPDATE accounts SET amount=amount+1 WHERE id={target}")
            connection.query("COMMIT")
            return
        except ServerError as error:
            if error.code != DEADLOCK:
                raise
    raise Failure("a transaction met a deadlock a hundred times")


def session(address, index, rounds, together):
    try:
        converse(address, index, rounds, together)
    except BaseException:
        together.abort()  # the others need not wait for this one
        raise


def converse(address, index, rounds, together):
    connection = Connection(address, "weft")
    together.wait(120)
    for step in range(rounds):
        text = payload(index, step)
        changed = connection.query(f"INSERT INTO notes VALUES ({index}, {step}, '{text}')")
        check(changed == 1, f"an insert changed {changed} rows")
        rows = connection.query(f"SELECT body, length(body) FROM notes WHERE who={index} AND nr={step}")
        check(rows == [(text, str(len(text)))], f"connection {index} read back {rows}")
        transfer(connection, index, step)
    own = connection.query(f"SELECT nr, body FROM notes WHERE who={index} ORDER BY nr")
    check(own == [(str(step), payload(index, step)) for step in range(rounds)],
          f"connection {index} lost rows")
    together.wait(120)  # nobody leaves before everybody is done: all threads are alive
    connection.close()


def first_run(mode, directory, data, port, args):
    with started(mode.command(command(directory, data, port, args.connections)), directory,
                 "mariadbd-1") as server:
        admin = connect(server, directory)
        admin.query("CREATE DATABASE weft")
        admin.query("CREATE TABLE weft.notes (who INT, nr INT, body TEXT, PRIMARY KEY (who, nr))")
        admin.query("CREATE TABLE weft.accounts (id INT PRIMARY KEY, amount INT)")
        admin.query("INSERT INTO weft.accounts VALUES " +
                    ",".join(f"({row}, 1000)" for row in range(50)))
        together = threading.Barrier(args.connections, action=lambda: mode.check_threads(
            server.pid, args.connections, "mariadbd"))
        in_threads(args.connections, lambda index: session(
            f"{directory}/socket" if index % 4 == 0 else ("127.0.0.1", port), index, args.rounds,
            together))
        answer = summary(admin)
        admin.close()
        stop = subprocess.run(["mariadb-admin", "--no-defaults", f"--socket={directory}/socket",
                               "--user=root", "shutdown"], capture_output=True, text=True,
                              timeout=60, check=False)
        check(stop.returncode == 0, f"mariadb-admin shutdown: {stop.stderr}{server.tail()}")
        server.expect(90)
        clean(server)
        return answer


def second_run(mode, directory, data, port, args):
    with started(mode.command(command(directory, data, port, args.connections)), directory,
                 "mariadbd-2") as server:
        admin = connect(server, directory)
        answer = summary(admin)
        check(admin.query("CHECK TABLE weft.notes")[0][3] == "OK", "CHECK TABLE")
        idle = [Connection(("127.0.0.1", port)) for _ in range(20)]
        server.stop(90)
        clean(server)
        for connection in idle:
            connection.socket.close()
        return answer


def connect(server, directory):
    def try_it():
        check(server.alive(), f"mariadbd died\n{server.tail()}")
        try:
            return bool(found.append(Connection(f"{directory}/socket"))) or True
        except OSError:
            return False

    found = []
    wait_until(try_it, 60, f"mariadbd answers\n{server.tail()}")
    return found[0]


def clean(server):
    check("Shutdown complete" in server.errors(), f"no clean shutdown\n{server.tail()}")


def summary(admin):
    notes = admin.query("SELECT count(*), sum(length(body)), sum(crc32(body)) FROM weft.notes")
    return notes + admin.query("SELECT count(*), sum(amount) FROM weft.accounts")


def body(mode, args, pristine):
    with support.workspace("mariadb") as directory:
        data = os.path.join(directory, "data")
        shutil.copytree(pristine, data)
        port = support.free_port()
        first = first_run(mode, directory, data, port, args)
        check(first[0][0] == str(args.connections * args.rounds), f"{first[0]} rows")
        check(first[1] == ("50", "50000"), f"the accounts hold {first[1]}")
        second = second_run(mode, directory, data, port, args)
        check(first == second, f"{first} before the restart, {second} after it")
        return first


def main():
    def extra(parser):
        parser.add_argument("--connections", type=int, default=500)
        parser.add_argument("--rounds", type=int, default=5)

    args = support.parse(__doc__.splitlines()[0], extra)
    support.need("mariadb-server", SERVER, "mariadb-install-db")
    support.need("mariadb-client", "mariadb-admin")
    with support.workspace("mariadb-data") as directory:
        pristine = install(directory)
        support.run_modes(args, lambda mode: body(mode, args, pristine))


if __name__ == "__main__":
    support.main(main)
