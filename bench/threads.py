#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Create and join, a condition variable's round trip, and calls that do not block: threads_bench on OS threads
and on Weft, in turns.

    python3 bench/threads.py [--rounds 5] [--scale 1] [--check]
"""
import harness

FASTER_TARGETS = {"create_join": 8, "condvar_round_trip": 10}
SYSCALL_TARGET_NS = 15


def main():
    parser = harness.arguments(__doc__, rounds=5)
    parser.add_argument("--scale", default="1", help="of the work of each round")
    args = parser.parse_args()
    bin_folder = harness.binaries(args.build)
    program = [bin_folder / "threads_bench", args.scale]
    runs = harness.interleaved(args.rounds, {
        "native": lambda: harness.named_figures(program),
        "weft": lambda: harness.named_figures(harness.weft_run(bin_folder, args.hubs) + program)})
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
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
