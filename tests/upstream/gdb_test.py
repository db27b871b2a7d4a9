# SPDX-License-Identifier: MIT
"""gdb and perf on a program with a thousand threads, natively and under Weft.

    python3 gdb_test.py --program many_threads [--weft WEFT] [--hubs 1,2] attach|abort|perf

attach: gdb stops the running thread inside its system call, shows all frames up to the start of the
thread, and writes a core from which a second gdb shows the same. abort: the same from the core that
the kernel writes. perf: `perf record -g` sees the program's functions below a system call's.
"""

import contextlib
import os
import re
import resource
import subprocess
import sys

import support
from support import check, started, wait_until

SKIPPED = 77
QUIET = ["set debuginfod enabled off", "set pagination off", "set width 0"]
THREADS = 1000


def gdb(*arguments, commands):
    command = ["gdb", "-nx", "-batch"]
    for line in QUIET:
        command += ["-iex", line]
    command += arguments
    for line in commands:
        command += ["-ex", line]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.stdout


def frames(output):
    """The function names of the (last) backtrace, innermost first."""
    names = []
    for line in output.splitlines():
        found = re.match(r"#(\d+)\s+(?:0x[0-9a-f]+ in )?(\S+) \(", line)
        if found:
            if found[1] == "0":
                names = []
            names.append(found[2])
    return names


def check_backtrace(output, call, where):
    """The frames from the caller of the system call outwards; all must be there, with an end."""
    names = frames(output)
    check("corrupt stack" not in output and "innermost" in names,
          f"{where}: no whole backtrace\n{output[-6000:]}")
    first = names.index("innermost")
    check(any(call in name for name in names[:first]), f"{where}: no {call}: {names}\n{output[-6000:]}")
    outer = names[first:]
    check(outer[:3] == ["innermost", "middle", "running"], f"{where}: {outer}")
    return [name.lstrip("_") for name in outer]


@contextlib.contextmanager
def running(mode, args, directory, *options):
    """The program, and what to close for it to end."""
    inlet, gate = os.pipe()
    with started(mode.command([args.program, str(THREADS), *options]), directory, "program",
                 stdin=inlet, cwd=directory) as program:
        os.close(inlet)
        yield program, gate


def end(program, gate):
    os.close(gate)
    program.expect(30)


def wait_ready(program):
    wait_until(lambda: "ready" in program.output() or not program.alive(), 60, "ready")
    check(program.alive(), f"the program died\n{program.tail()}")


def attach(mode, args):
    with support.workspace("gdb") as directory:
        core = os.path.join(directory, "core.gdb")
        with running(mode, args, directory) as (program, gate):
            wait_ready(program)
            mode.check_threads(program.pid, THREADS, "many_threads")
            output = gdb("-p", str(program.pid), commands=[
                "catch syscall write", "condition 1 $rdi == 200", "continue", "backtrace", f"gcore {core}", "detach"])
            live = check_backtrace(output, "write", f"{mode.name}, attached")
            end(program, gate)
        output = gdb(args.program, core, commands=["backtrace"])
        dead = check_backtrace(output, "write", f"{mode.name}, gcore")
        check(live == dead, f"{live} alive, {dead} in the core")
        return live


def abort(mode, args):
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as text:
        pattern = text.read().strip()
    if "/" in pattern or pattern.startswith("|"):
        skip(f"cores go to '{pattern}', not to the working directory")
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with support.workspace("core") as directory:
        with running(mode, args, directory, "50") as (program, gate):
            status = program.wait(60)
            check(status == -6, f"ended with {status}, not by SIGABRT\n{program.tail()}")
            os.close(gate)
        cores = [name for name in os.listdir(directory) if name.startswith("core")]
        check(cores, f"no core in {os.listdir(directory)}")
        output = gdb(args.program, os.path.join(directory, cores[0]), commands=["backtrace"])
        return check_backtrace(output, "abort", f"{mode.name}, core")


def inner_part(stack):
    """The frames inside of the program's own functions, when those are all there."""
    names = [frame.split()[0].split(".")[0] for frame in stack]
    if "middle" not in names or "running" not in names:
        return ""
    return " ".join(stack[:names.index("middle")])


def perf(mode, args):
    with support.workspace("perf") as directory:
        data = os.path.join(directory, "perf.data")
        record = ["perf", "record", "-q", "-g", "-F", "2000", "-o", data]
        probe = subprocess.run([*record, "true"], capture_output=True, text=True, check=False)
        if probe.returncode:
            skip(f"perf_event is not permitted: {probe.stderr.strip()}")
        with running(mode, args, directory, "0") as (program, gate):
            wait_ready(program)
            done = subprocess.run([*record, "-p", str(program.pid), "--", "sleep", "3"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60, check=False)
            check(done.returncode == 0, f"perf record: {done.stderr}")
            end(program, gate)
        script = subprocess.run(["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=120, check=True).stdout
        stacks = [stack for sample in script.split("\n\n")
                  if (stack := re.findall(r"^\s+[0-9a-f]+ (.*)$", sample, re.MULTILINE))]
        inside = [stack for stack in stacks if "write" in inner_part(stack)]
        through = [stack for stack in inside if "libweft" in inner_part(stack)]
        print(f"  {mode.name}: {len(stacks)} samples, {len(inside)} in write below the program's "
              f"functions, {len(through)} of them through the hook")
        check(inside, f"no whole stack in\n{script[:4000]}")
        check(through or not mode.hubs, f"no stack through the hook in\n{script[:4000]}")
        return "seen"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    def extra(parser):
        parser.add_argument("case", choices=("attach", "abort", "perf"))
        parser.add_argument("--program", required=True)

    args = support.parse(__doc__.splitlines()[0], extra)
    args.program = os.path.abspath(args.program)
    support.need("gdb", "gdb")
    if args.case == "perf":
        support.need("linux-perf", "perf")
    body = {"attach": attach, "abort": abort, "perf": perf}[args.case]
    support.run_modes(args, lambda mode: body(mode, args))


if __name__ == "__main__":
    support.main(main)
