# SPDX-License-Identifier: MIT
"""What the upstream tests share: modes (native, one hub, two hubs), processes, thread counts, ports.

Everything a test starts runs in a session of its own and is ended by its pid and that session's
group; nothing is ever looked up by name.
"""

import argparse
import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PYTHON = "/usr/bin/python3"
# Threads with a reason: Weft's helpers, which make one call that the kernel offers in no form that
# does not block, and io_uring's workers, which the kernel makes in a process that has a ring.
EXPLAINED = ("weft-helper", "iou-wrk-", "iou-sqp-")
HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    """A test's verdict, shown without a traceback."""


class Mode:
    """How a program is run: natively, or under `weft run` with a number of hubs."""

    def __init__(self, hubs=0, weft=None):
        self.hubs = hubs
        self.weft = weft
        self.name = f"hubs{hubs}" if hubs else "native"

    def command(self, command, *options):
        if not self.hubs:
            return list(command)
        return [self.weft, "run", "--hubs", str(self.hubs), *options, "--", *command]

    def reporting(self, command, report):
        """The command with its report in a file."""
        return self.command(command, f"--report={report}")

    def check_report(self, report, program, at_least):
        """A program that ended made so many threads, and under Weft they were fibers of these hubs."""
        if not self.hubs:
            return
        with open(report, encoding="utf-8") as text:
            tables = text.read().split("weft report: ")
        mine = [table.split() for table in tables if table.startswith(f"{program}, pid") and "threads made" in table]
        check(mine, f"{program} ({self.name}) left no report")
        made = sum(int(words[words.index("made") + 1].replace(",", "")) for words in mine)
        hubs = max(int(words[3]) for words in mine)
        check(made >= at_least and hubs == self.hubs,
              f"{program} ({self.name}): {made} threads made on {hubs} hub(s)\n{tables}")

    def check_threads(self, pid, at_least, what):
        """`at_least` threads of the program are alive: all of them are kernel threads natively, and
        under Weft there is one kernel thread per hub."""
        names = unexplained(pid, self.hubs)
        if not self.hubs:
            check(len(names) >= at_least, f"{what}: {len(names)} OS threads, expected {at_least}")
        else:
            check(len(names) <= self.hubs,
                  f"{what} ({self.name}): {len(names)} OS threads for {self.hubs} hub(s): {names}")


def check(condition, message):
    if not condition:
        raise Failure(message)


def parse(description, extra=None):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--weft", help="the launcher; without it only the native run is made")
    parser.add_argument("--hubs", default="1,2", help="hub counts to run under (default 1,2)")
    parser.add_argument("--no-native", action="store_true", help="leave the native run out")
    if extra:
        extra(parser)
    args = parser.parse_args()
    args.modes = [] if args.no_native else [Mode()]
    if args.weft:
        args.weft = os.path.abspath(args.weft)
        args.modes += [Mode(int(hubs), args.weft) for hubs in args.hubs.split(",")]
    return args


def load(clients, rounds):
    """For `parse`: how many clients there are at once, and how often each does its work."""
    def extra(parser):
        parser.add_argument("--clients", type=int, default=clients)
        parser.add_argument("--rounds", type=int, default=rounds)

    return extra


def need(package, *paths):
    """Fails with the name of the Debian package when one of its files is not there."""
    for path in paths:
        if not (os.path.exists(path) or shutil.which(path)):
            raise Failure(f"{path} is missing: install the Debian package {package} "
                          f"(apt-get install {package})")


def skip_without(package, path):
    """Ends the test as skipped (status 77) where a package of the long form's is not installed."""
    if not shutil.which(path):
        print(f"no {path} on this machine: it is in the Debian package {package}")
        sys.exit(77)


def raise_fd_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def task_names(pid):
    """{thread id: name} of a process's kernel threads."""
    names = {}
    with contextlib.suppress(FileNotFoundError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/comm") as comm:
                names[task] = comm.read().strip()
    return names


def unexplained(pid, enough):
    """The names of kernel threads but those that have a reason; where there are more than `enough`,
    of those that stay for a second (a helper takes its name first of all, and rarely lives long)."""
    threads = task_names(pid)
    for _ in range(50):
        now = task_names(pid)
        threads = {task: name for task, name in now.items()
                   if task in threads and not name.startswith(EXPLAINED)}
        if len(threads) <= enough:
            break
        time.sleep(0.02)
    return list(threads.values())


def children(pid):
    """The processes that a process has forked and that still run, oldest first."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{each}/stat", encoding="ascii", errors="replace") as stat:
            state, parent = stat.read().rpartition(")")[2].split()[:2]  # the third field and the fourth, see proc(5)
            if int(parent) == pid and state != "Z":
                found.append(int(each))
    return sorted(found)


def session_cpu_ticks(leader):
    """The processor time, in ticks, that the processes of a session have used, with the children they have waited for."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()  # from the third on, see proc(5)
            if int(fields[3]) == leader:
                ticks += sum(map(int, fields[11:15]))
    return ticks


@contextlib.contextmanager
def busy_machine():
    """Two processes for each processor that compute meanwhile."""
    command = [PYTHON, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """Polls a condition, for at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A child in a session of its own, with its output in files and a limit on its time."""

    def __init__(self, command, directory, name, env=None, stdin=subprocess.DEVNULL, cwd=None):
        self.name = name
        self.out_path = os.path.join(directory, name + ".out")
        self.err_path = os.path.join(directory, name + ".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, cwd=cwd,
                                          env=env, start_new_session=True)
        self.pid = self.popen.pid

    def output(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def errors(self):
        with open(self.err_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def tail(self):
        return f"--- stdout\n{self.output()[-2000:]}\n--- stderr\n{self.errors()[-4000:]}"

    def alive(self):
        return self.popen.poll() is None

    def wait(self, seconds):
        """The exit status; what does not end in time is asked for a dump and killed."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            state = describe(self.pid)
            self.kill()
            raise Failure(f"{self.name} did not end within {seconds} s\n{state}\n"
                          f"{self.tail()}") from None

    def expect(self, seconds, status=0):
        got = self.wait(seconds)
        check(got == status, f"{self.name} ended with {got}, not {status}\n{self.tail()}")

    def stop(self, seconds, signum=signal.SIGTERM, status=0):
        """A clean shutdown: the signal, then the expected exit status."""
        check(self.alive(), f"{self.name} died before its shutdown\n{self.tail()}")
        self.popen.send_signal(signum)
        self.expect(seconds, status)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


def describe(pid):
    """What each kernel thread of a stuck process waits in, with its frames where gdb can tell."""
    lines = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            fields = []
            for name in ("comm", "wchan", "syscall"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/{name}") as text:
                    fields.append(text.read().strip())
            lines.append(f"task {task}: " + " | ".join(fields))
    if shutil.which("gdb"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-p", str(pid),
                 "-ex", "thread apply all backtrace 15"], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
                timeout=30, check=False)
            lines += [line[:160] for line in done.stdout.splitlines() if line.startswith(("#", "Thread"))][:100]
    return "\n".join(lines)


@contextlib.contextmanager
def started(command, directory, name, **options):
    process = Process(command, directory, name, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.popen.wait()


def output_of(command, directory, name, seconds, **options):
    """What a program wrote to its standard output; it has to end with status 0, and in time."""
    with started(command, directory, name, **options) as process:
        process.expect(seconds)
        return process.output()


@contextlib.contextmanager
def workspace(name):
    directory = tempfile.mkdtemp(prefix=f"weft-{name}-")
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def serving(server):
    """The port of a socketserver, which serves in a thread of its own until the end of the block."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def in_threads(count, function):
    """Runs function(0..count-1) in threads of their own; the first error is raised."""
    errors, results = [], [None] * count

    def body(index):
        try:
            results[index] = function(index)
        except BaseException as error:  # pylint: disable=broad-except
            errors.append((index, error))

    threads = [threading.Thread(target=body, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        errors.sort(key=lambda pair: isinstance(pair[1], threading.BrokenBarrierError))
        index, error = errors[0]
        raise Failure(f"{len(errors)} of {count} clients failed; client {index}: {error!r}")
    return results


def run_modes(args, body):
    """body(mode) for each mode; all must return the same answer."""
    answers = {}
    for mode in args.modes:
        start = time.monotonic()
        answers[mode.name] = body(mode)
        print(f"{mode.name}: ok, {time.monotonic() - start:.1f} s", flush=True)
        first = next(iter(answers))
        check(answers[mode.name] == answers[first],
              f"{mode.name} answered differently from {first}:\n{difference(answers[first], answers[mode.name])}")


def difference(left, right):
    import difflib
    return "\n".join(difflib.unified_diff(str(left).splitlines(), str(right).splitlines(),
                                          lineterm=""))


def main(function):
    """Runs a test's function; its verdict is the exit status."""
    raise_fd_limit()
    try:
        function()
    except Failure as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)
