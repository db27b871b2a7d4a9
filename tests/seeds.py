#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a test program under random schedules (weft/random_schedule.hpp), once for each seed:

  tests/seeds.py [--seeds N...] [--random COUNT] [--seconds LIMIT] -- PROGRAM [ARGUMENT...]

The first seed that fails ends it, with the program's output and the line that runs it again. Of the random seeds as many are
tried as the limit lets begin.
"""
import argparse
import os
import random
import shlex
import subprocess
import sys
import time

ONE_RUN = 300  # seconds; a program that takes longer hangs


def run(command, seed):
    """The output of a run that failed, or None."""
    environment = dict(os.environ, WEFT_TEST_SEED=str(seed))
    try:
        ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=ONE_RUN, check=False)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"") + f"\nno end after {ONE_RUN} s\n".encode()
    return None if ended.returncode == 0 else ended.stdout + f"\nexit status {ended.returncode}\n".encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()

    chosen = random.SystemRandom()
    fixed = len(given.seeds)
    seeds = given.seeds + [chosen.randrange(1, 10**9) for _ in range(given.random)]
    begin = time.monotonic()
    tried = 0
    for at, seed in enumerate(seeds):
        if at >= max(fixed, 1) and time.monotonic() - begin > given.seconds:
            break
        output = run(given.command, seed)
        if output is not None:
            sys.stdout.buffer.write(output)
            sys.exit(f"Seed {seed} fails. Again: WEFT_TEST_SEED={seed} {shlex.join(given.command)}")
        tried += 1
    print(f"{tried} seeds passed")


if __name__ == "__main__":
    main()
