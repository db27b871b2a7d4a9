#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several hubs: a wake of another hub beside a bare eventfd and epoll, and what a second hub adds to an echo in one process.

    python3 bench/hubs.py [--rounds 9] [--seconds 0.5] [--check]

Needs two processors that nobody else uses: without them the figures of the second hub say nothing.
"""
import harness


def main():
    parser = harness.arguments(__doc__, hubs=False, rounds=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement in each round")
    args = parser.parse_args()
    program = harness.binaries(args.build) / "hubs_bench"
    runs = harness.interleaved(args.rounds, {
        "wake": lambda: harness.named_figures([program, "wake", args.seconds]),
        "one": lambda: harness.named_figures([program, "echo", 1, args.seconds]),
        "two": lambda: harness.named_figures([program, "echo", 2, args.seconds])})

    def middle(variant, name):
        return harness.median(run[name] for run in runs[variant])

    harness.table([["", "median"],
                   ["wake of a hub that sleeps, ns", f"{middle('wake', 'sleeping'):.0f}"],
                   ["the same with eventfd and epoll, ns", f"{middle('wake', 'bare'):.0f}"],
                   ["wake of a hub that polls, ns", f"{middle('wake', 'polling'):.0f}"],
                   ["a line of the cache from one processor to the other, ns", f"{middle('wake', 'line'):.0f}"],
                   ["echo, one hub, round trips a second", f"{middle('one', 'echo'):.0f}"],
                   ["echo, two hubs", f"{middle('two', 'echo'):.0f}"]])
    print()
    verdicts = harness.Verdicts()
    verdicts.at_most("wake of a hub that sleeps, of a bare one",
                     harness.median_ratio(runs["wake"], runs["wake"], "sleeping", "bare"), 1.1)
    verdicts.at_most("wake of a hub that polls, us", middle("wake", "polling") / 1000, 0.5)
    verdicts.at_least("echo, two hubs against one",
                      harness.median_ratio(runs["two"], runs["one"], "echo"), 1.7)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
