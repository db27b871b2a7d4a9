#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program natively and under `weft run`, or the same program as it patches itself, and compares what it says and how it ends.

The program's stdout and its exit status (or the signal that ended it) must be the same. stderr is shown when something
differs and is not compared. Each run is a session of its own, so that whatever it leaves behind can be ended with it.
"""
import argparse
import difflib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


def describe(status):
    if status is None:
        return "killed at the time limit"
    if status < 0:
        try:
            return "signal " + signal.Signals(-status).name
        except ValueError:
            return "signal %d" % -status
    return "status %d" % status


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Outcome:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds


def run(command, env, limit, dump):
    """One run. `dump`: ask for the list of all fibers (SIGUSR2) before a hung run is killed."""
    scratch = tempfile.mkdtemp(prefix="weft-shim-test-")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=scratch,
                                 start_new_session=True, preexec_fn=no_core)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
            if dump:
                os.kill(child.pid, signal.SIGUSR2)
                try:
                    child.wait(2)
                except subprocess.TimeoutExpired:
                    pass
        seconds = time.monotonic() - began
        try:
            os.killpg(child.pid, signal.SIGKILL)  # the leader may be gone and its children not
        except ProcessLookupError:
            pass
        child.wait()
        shutil.rmtree(scratch, ignore_errors=True)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
        return Outcome(status, texts[0], texts[1], seconds)


def show(title, text, lines=80):
    print("--- %s" % title)
    rows = text.splitlines()
    if len(rows) > lines:
        print("(%d lines left out)" % (len(rows) - lines))
    for row in rows[-lines:]:
        print("  " + row)


def compare(native, other, name):
    same = native.status == other.status and native.out == other.out
    if same:
        return True
    print("DIFFERENT: natively %s, with %s %s (%.1f s)" %
          (describe(native.status), name, describe(other.status), other.seconds))
    for line in difflib.unified_diff(native.out.splitlines(), other.out.splitlines(), "native", name, lineterm="", n=2):
        print("  " + line)
    if other.err:
        show("stderr with " + name, other.err)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--weft", help="path of the launcher")
    way.add_argument("--patched", help="path of the program that patches itself")
    parser.add_argument("--hubs", action="append", help="number of hubs (may be given more than once; default 1 and 2)")
    parser.add_argument("--patch", help="the groups of system calls to make cooperative")
    parser.add_argument("--quiet", action="store_true", help="nothing may be said on stderr")
    parser.add_argument("--limit", type=float, default=30, help="seconds a run may take")
    parser.add_argument("--repeat", type=int, default=1, help="how often to run each way")
    parser.add_argument("--native-only", action="store_true", help="compare native runs with each other")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        parser.error("no program given")
    command[0] = os.path.abspath(command[0])
    weft = os.path.abspath(args.weft or args.patched)
    if not args.native_only and not os.access(weft, os.X_OK):
        print("no launcher at " + weft)
        return SKIPPED
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("WEFT")}

    native = run(command, env, args.limit, False)
    print("native: %s (%.2f s)" % (describe(native.status), native.seconds))
    if native.status == SKIPPED:
        print(native.out)
        return SKIPPED
    good = True
    if native.status is None or "FAILED" in native.out:
        show("native stdout", native.out)
        show("native stderr", native.err)
        good = False
    for turn in range(args.repeat):
        if args.native_only:
            good &= compare(native, run(command, env, args.limit, False), "the native run %d" % turn)
            continue
        if args.patched:
            good &= compare(native, run([weft] + command[1:], env, args.limit, True), "the patch from inside")
            continue
        for hubs in args.hubs or ["1", "2"]:
            groups = ["--patch", args.patch] if args.patch else []
            other = run([weft, "run", "--hubs", hubs, *groups, "--"] + command, env, args.limit, True)
            print("%s hubs: %s (%.2f s)" % (hubs, describe(other.status), other.seconds))
            good &= compare(native, other, hubs + " hubs")
            if args.quiet and other.err:
                show("said on stderr", other.err)
                good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
