#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Light fibers: a switch through the scheduler, and spawn+join, as multiples of one bare jump_fcontext.

    python3 bench/switch.py [--rounds 15] [--check]
"""
import comparison
import harness

TARGETS = {"yield/2": 1.6, "spawn_and_join": 8}


def main():
    args = comparison.arguments(__doc__).parse_args()
    program = harness.binaries(args.build) / "switch_bench"
    runs = [harness.google_benchmark([program], args.seconds) for _ in range(args.rounds)]
    found = {name: harness.median(run[name] for run in runs) for name in runs[0]}
    ratios = {name: harness.median_ratio(runs, runs, name, "jump_fcontext") for name in found}
    harness.table([["ns", "each", "of a jump"]] +
                  [[name, f"{value:.2f}", f"{ratios[name]:.2f}x"] for name, value in found.items()])
    verdicts = harness.Verdicts()
    print()
    for name, target in TARGETS.items():
        verdicts.at_most(f"{name}, of a jump", ratios[name], target)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
