# SPDX-License-Identifier: MIT
"""What the benches, the demo and the smoke tests share: servers, loads, /proc, pairs of runs. Standard library alone."""
import argparse
import ctypes
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
SPARE_FILES = 64
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A bench that cannot go on: its text is all that the user needs."""


def arguments(description, hubs=True, rounds=None):
    """A parser with the options of every bench; rounds: how many of them by default, if it has any."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    if hubs:
        parser.add_argument("--hubs", default="1")
    if rounds:
        parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    return parser


def end_with(main):
    """Ends the program with what main() returns, or with the text of what stopped it."""
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"bench: {failed}")


def binaries(build=None):
    """The folder of the built programs."""
    folder = Path(build) if build else SOURCE / "build" / "release"
    if not (folder / "bin" / "weft-load").exists():
        raise Failed(f"no weft-load in {folder}/bin: cmake --preset release && cmake --build build/release")
    return folder / "bin"


def weft_run(bin_folder, hubs=None, stack_size=None):
    """The words to put before a program that is to run on Weft."""
    words = [str(bin_folder / "weft"), "run"]
    if hubs:
        words += ["--hubs", str(hubs)]
    if stack_size:
        words += ["--stack-size", stack_size]
    return words + ["--"]


def raise_open_files():
    """Takes the soft limit up to the hard one; children inherit it. Returns the limit before and after."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def affordable_connections(wanted):
    """As many as one process may have sockets: the server and the load are two processes."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("WEFT_") and name != "LD_PRELOAD"}


def output(words, seconds=300, stderr=None):
    """What a program prints that has to end well within so many seconds."""
    words = [str(word) for word in words]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=seconds, env=environment(),
                          preexec_fn=die_with_parent, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)} ended with status {done.returncode}")
    return done.stdout


def named_figures(words, *arguments):
    """{name: figure} of a program that prints lines "NAME FIGURE"."""
    lines = output([*words, *arguments]).splitlines()
    return {name: float(figure) for name, figure in (line.split() for line in lines)}


def gevent_peer(name):
    """The words that start bench/peers/gevent_NAME.py; none where Debian's gevent is not installed."""
    python = "/usr/bin/python3"
    if not os.path.exists(python) or subprocess.run([python, "-c", "import gevent"], stderr=subprocess.DEVNULL,
                                                    check=False).returncode != 0:
        return []
    return [python, SOURCE / "bench" / "peers" / f"gevent_{name}.py"]


def google_benchmark(words, seconds):
    """{name: nanoseconds of one item} of a Google Benchmark program, with so many seconds for each benchmark."""
    text = output([*words, "--benchmark_format=json", f"--benchmark_min_time={seconds}"], stderr=subprocess.DEVNULL)
    return {run["name"].removesuffix("/real_time"): 1e9 / run["items_per_second"]
            for run in json.loads(text)["benchmarks"]}


class Process:
    """A child that is gone when the block ends, however it ends."""

    def __init__(self, words, stdin=subprocess.DEVNULL):
        self.words = [str(word) for word in words]
        try:
            self.child = subprocess.Popen(self.words, stdin=stdin, stdout=subprocess.PIPE, text=True,
                                          env=environment(), preexec_fn=die_with_parent)
        except OSError as error:
            raise Failed(f"cannot start {self.words[0]}: {error.strerror}") from error
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def line(self, pattern):
        """The match of the child's next line; it ends the run when the line is another one or none."""
        text = self.child.stdout.readline()
        match = re.match(pattern, text)
        if not match:
            raise Failed(f"{' '.join(self.words)} said {text!r} and not /{pattern}/ (exit status {self.child.poll()})")
        return match

    def stop(self, seconds=20):
        """SIGTERM, then SIGKILL. Returns the exit status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        return self.child.returncode


class Server(Process):
    def __init__(self, words):
        super().__init__(words)
        try:
            self.port = int(self.line(r"listening on (\d+)$").group(1))
        except BaseException:
            self.stop()
            raise


def load_words(bin_folder, server, connections, **options):
    words = [bin_folder / "weft-load", server.port, "--json", "--connections", connections, "--server-pid", server.pid]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            words += [flag, value]
    return [str(word) for word in words]


def load(bin_folder, server, connections, **options):
    """One run of weft-load; its report with the server's CPU time per request added."""
    words = load_words(bin_folder, server, connections, **options)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment(), preexec_fn=die_with_parent,
                          timeout=300, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"weft-load said {done.stdout!r} (exit status {done.returncode})") from error
    used = report.get("server")
    if used and report["requests"]:
        report["cpu_us"] = used["cpu_seconds"] * 1e6 / report["requests"]
    return report


def status(pid):
    """/proc/PID/status: numbers where the value starts with one (kB are KiB)."""
    fields = {}
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = text.partition(":")
        word = value.split()[0] if value.split() else ""
        fields[name] = int(word) if word.isdigit() else value.strip()
    return fields


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def context_switches(pid):
    """Voluntary and involuntary switches of all threads of the process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for text in (task / "status").read_text().splitlines():
            if "ctxt_switches" in text:
                total += int(text.split()[1])
    return total


def meminfo():
    fields = {}
    for text in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = text.partition(":")
        fields[name] = int(value.split()[0])
    return fields


def task_kib():
    """KiB of slab behind one task_struct, and whether the kernel let us read it."""
    try:
        for text in Path("/proc/slabinfo").read_text().splitlines():
            if text.startswith("task_struct "):
                size, per_slab, pages = (int(text.split()[i]) for i in (3, 4, 5))
                return max(size, pages * os.sysconf("SC_PAGESIZE") / per_slab) / 1024, True
    except OSError:
        pass
    return 4.5, False


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def median_ratio(ours, theirs, key, their_key=None):
    """Of two lists of rounds: of the ratios, not of the figures, since what slows the machine for a while slows both sides of
    a round. None where no round has both."""
    pairs = ((a.get(key), b.get(their_key or key)) for a, b in zip(ours, theirs))
    return median(a / b for a, b in pairs if a is not None and b)


def interleaved(rounds, variants):
    """Runs {name: function} A B A B ... and returns {name: [results]}: a drift of the machine meets all alike."""
    results = {name: [] for name in variants}
    for _ in range(rounds):
        for name, function in variants.items():
            results[name].append(function())
    return results


def table(rows):
    """Rows of words in columns: the first to the left, the others to the right."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip(), flush=True)


def ratio(value, base, digits=2):
    return f"{value / base:.{digits}f}x" if value is not None and base else "-"


class Verdicts:
    """Figures against their targets; the exit status of a bench that was asked to check."""

    def __init__(self):
        self.missed = 0

    def at_least(self, name, value, target):
        self._say(name, value, target, ">=", value is not None and value >= target)

    def at_most(self, name, value, target):
        self._say(name, value, target, "<=", value is not None and value <= target)

    def exit_status(self, check):
        return 1 if check and self.missed else 0

    def _say(self, name, value, target, sign, good):
        self.missed += 0 if good else 1
        shown = "no figure" if value is None else f"{value:.2f}"
        print(f"{'reached' if good else 'MISSED '}  {name}: {shown} (wanted {sign} {target:g})", flush=True)
