#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long programs take to start and end: natively and under `weft run`, in turns. A process that makes a thread has its text looked
through, that of a large program for longer.

    python3 bench/startup.py [--rounds 9] [--weft OTHER/bin/weft]

Programs that are missing are left out; with --weft another build takes its turns, too.
"""
import os
import resource
import shutil
import subprocess
import time

import harness

PROGRAMS = (
    ["/bin/true"],
    ["/usr/bin/python3", "-c", "pass"],
    ["/usr/bin/clang-14", "--version"],
    ["/usr/bin/java", "-version"],
    ["/usr/bin/node", "-e", "0"],
    ["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "about:blank"],
)


def one_run(words):
    """Wall and CPU time in ms of a command and its children."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=300, env=harness.environment(), preexec_fn=harness.die_with_parent, check=True)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": (end - begin) * 1000, "cpu": cpu * 1000}


def main():
    parser = harness.arguments(__doc__, rounds=9)
    parser.add_argument("--weft", help="another launcher to compare with")
    args = parser.parse_args()
    ways = {"native": [], "weft": harness.weft_run(harness.binaries(args.build), args.hubs)}
    if args.weft:
        ways["other"] = [args.weft, "run", "--hubs", args.hubs, "--"]
    rows = [["ms", *(f"{way} {what}" for way in ways for what in ("wall", "CPU")), "weft/native"]]
    for program in PROGRAMS:
        if shutil.which(program[0]) is None:
            continue
        runs = harness.interleaved(args.rounds, {way: lambda way=way: one_run(ways[way] + program) for way in ways})
        figures = [f"{harness.median(run[what] for run in runs[way]):.1f}" for way in ways for what in ("wall", "cpu")]
        of_native = harness.median_ratio(runs["weft"], runs["native"], "cpu")
        rows.append([os.path.basename(program[0]), *figures, f"{of_native:.2f}x CPU"])
    harness.table(rows)
    return 0


if __name__ == "__main__":
    harness.end_with(main)
