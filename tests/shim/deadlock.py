#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Threads that wait for each other for ever are reported, with their stacks; not so when a handler of a signal could end it.

    deadlock.py WEFT DEADLOCKS [checks]

With `checks`, of a build with every assertion on, SIGUSR2 prints the same list.
"""
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

A_MINUTE = 60
EPOLL_WAITS = {"232", "281", "441"}  # epoll_wait, epoll_pwait, epoll_pwait2


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def await_that(condition, what):
    end = time.monotonic() + A_MINUTE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def hub_sleeps(pid):
    try:
        with open(f"/proc/{pid}/syscall") as text:
            return text.read().split()[0] in EPOLL_WAITS
    except (OSError, IndexError):
        return False


def start(weft, hubs, log, *command):
    environment = dict(os.environ, WEFT_LOG=log)
    run = subprocess.Popen([weft, "run", "--hubs", hubs, "--", *command], env=environment, stdout=subprocess.PIPE, text=True,
                           preexec_fn=no_core)
    if run.stdout.readline() != "started\n":
        raise AssertionError("it did not start")
    return run


def read(log):
    with open(log) as text:
        return text.read()


def check_stacks(text):
    """Each thread's lines stand together: a line for it, and its stack under that."""
    fiber = r"^  fiber \d+ '%s': parked, waits for object 0x[0-9a-f]+\n((?:    0x[0-9a-f]+ \S+\n)+)"
    for name in "forwards", "backwards":
        found = re.search(fiber % name, text, re.MULTILINE)
        # The thread's own function, pthread_mutex_lock and libc's start of it at least.
        if found is None or found[1].count("\n") < 3 or "deadlocks+0x" not in found[1]:
            raise AssertionError(f"no stack of {name} in:\n{text}")


def count_stacks(text):
    return len(re.findall(r"^  fiber \d+ '\w+': parked.*\n(?:    .*\n)+", text, re.MULTILINE))


def nothing_can_end_it(weft, hubs, program, checks):
    with tempfile.TemporaryDirectory() as scratch:
        log = scratch + "/log"
        run = start(weft, hubs, log, program)
        try:
            await_that(lambda: "all threads wait for each other" in read(log), "the report")
            # Each hub prints its own threads when it comes to it.
            await_that(lambda: count_stacks(read(log)) == 3, "three stacks")
            check_stacks(read(log))
            if read(log).count("all threads wait") != 1 or run.poll() is not None:
                raise AssertionError("said more than once, or ended:\n" + read(log))
            run.send_signal(signal.SIGUSR2)
            if checks:
                await_that(lambda: count_stacks(read(log)) == 6, "three stacks more")
            elif run.wait(A_MINUTE) != -signal.SIGUSR2:
                raise AssertionError(f"SIGUSR2 ended it with {run.returncode}")
        finally:
            run.kill()
            run.wait()


def a_handler_could(weft, hubs, program):
    with tempfile.TemporaryDirectory() as scratch:
        log = scratch + "/log"
        run = start(weft, hubs, log, program, "handler")
        try:
            await_that(lambda: hub_sleeps(run.pid), "the first hub's sleep")
            run.send_signal(signal.SIGUSR2)
            if run.communicate(timeout=A_MINUTE)[0] != "woken\n" or run.returncode != 0:
                raise AssertionError(f"ended with {run.returncode}")
            if os.path.exists(log) and "wait for each other" in read(log):
                raise AssertionError("reported although a handler wakes main:\n" + read(log))
        finally:
            run.kill()
            run.wait()


if __name__ == "__main__":
    for number in "1", "2":
        nothing_can_end_it(sys.argv[1], number, sys.argv[2], "checks" in sys.argv[3:])
        a_handler_could(sys.argv[1], number, sys.argv[2])
