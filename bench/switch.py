#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Light fibers: a switch through the scheduler, and spawn+join, as multiples of one bare jump_fcontext.

    python3 bench/switch.py [--rounds 15] [--check]
"""
import argparse
import json
import subprocess
import sys

import harness

TARGETS = {"yield/2": 1.6, "spawn_and_join": 8}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each benchmark in each round")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    args = parser.parse_args()
    words = [str(harness.binaries(args.build) / "switch_bench"), "--benchmark_format=json",
             f"--benchmark_min_time={args.seconds}"]

    def one_round():
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120,
                              env=harness.environment(), preexec_fn=harness.die_with_parent, check=False)
        if done.returncode != 0:
            raise harness.Failed(f"switch_bench ended with status {done.returncode}")
        return {run["name"]: 1e9 / run["items_per_second"] for run in json.loads(done.stdout)["benchmarks"]}

    runs = harness.interleaved(args.rounds, {"all": one_round})["all"]
    found = {name: harness.median(run[name] for run in runs) for name in runs[0]}
    # Of the ratios, not of the times: what slows the machine for a while slows both sides of a round.
    ratios = {name: harness.median(run[name] / run["jump_fcontext"] for run in runs) for name in found}
    harness.table([["ns", "each", "of a jump"]] +
                  [[name, f"{value:.2f}", f"{ratios[name]:.2f}x"] for name, value in found.items()])
    verdicts = harness.Verdicts()
    print()
    for name, target in TARGETS.items():
        verdicts.at_most(f"{name}, of a jump", ratios[name], target)
    return 1 if args.check and verdicts.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"bench: {failed}")
