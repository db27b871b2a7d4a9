#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Create and join, a condition variable's round trip, and calls that do not block: threads_bench on OS threads
and on Weft, in turns.

    python3 bench/threads.py [--rounds 5] [--scale 1] [--check]
"""
import argparse
import subprocess
import sys

import harness

FASTER_TARGETS = {"create_join": 8, "condvar_round_trip": 10}
SYSCALL_TARGET_NS = 15


def one_run(words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, timeout=300,
                          env=harness.environment(), preexec_fn=harness.die_with_parent, check=False)
    if done.returncode != 0:
        raise harness.Failed(f"{' '.join(map(str, words))} ended with status {done.returncode}")
    return {name: float(value) for name, value in (text.split() for text in done.stdout.splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--hubs", default="1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", default="1", help="of the work of each round")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    args = parser.parse_args()
    bin_folder = harness.binaries(args.build)
    program = [bin_folder / "threads_bench", args.scale]
    runs = harness.interleaved(args.rounds, {
        "native": lambda: one_run(program),
        "weft": lambda: one_run(harness.weft_run(bin_folder, args.hubs) + program)})
    rows = [["ns", "native", "weft", "times as fast", "weft - native"]]
    found = {}
    for name in runs["native"][0]:
        native, weft = (harness.median(run[name] for run in runs[who]) for who in ("native", "weft"))
        found[name] = (native, weft)
        rows.append([name, f"{native:,.1f}", f"{weft:,.1f}", harness.ratio(native, weft), f"{weft - native:+,.1f}"])
    harness.table(rows)
    verdicts = harness.Verdicts()
    print()
    for name, (native, weft) in found.items():
        if name in FASTER_TARGETS:
            verdicts.at_least(f"{name}, times as fast", native / weft, FASTER_TARGETS[name])
        elif name.startswith("syscall.") and name != "syscall.send_and_recv":
            verdicts.at_most(f"{name}, ns more than native", weft - native, SYSCALL_TARGET_NS)
    return 1 if args.check and verdicts.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"bench: {failed}")
