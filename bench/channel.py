#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Channels of Weft beside those of Boost.Fiber and Go: the same work in turns, and the ratio of each round.

    python3 bench/channel.py [--rounds 15] [--check]

A peer that is not installed (libboost-fiber-dev, golang-go) is left out.
"""
import argparse
import json
import subprocess
import sys

import harness

# Of a peer's time.
TARGETS = {"round_trip/0": 0.2, "round_trip/2": 0.2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each benchmark in each round")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    args = parser.parse_args()
    folder = harness.binaries(args.build)

    def run(words):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120,
                              env=harness.environment(), preexec_fn=harness.die_with_parent, check=False)
        if done.returncode != 0:
            raise harness.Failed(f"{words[0]} ended with status {done.returncode}")
        return done.stdout

    def google(name):
        text = run([str(folder / name), "--benchmark_format=json", f"--benchmark_min_time={args.seconds}"])
        return {one["name"]: 1e9 / one["items_per_second"] for one in json.loads(text)["benchmarks"]}

    def go():
        lines = run([str(folder / "go_channel"), str(args.seconds)]).splitlines()
        return {name: float(value) for name, value in (line.split() for line in lines)}

    variants = {"weft": lambda: google("channel_bench"), "Boost.Fiber": lambda: google("boost_fiber_channel"), "Go": go}
    for name, program in (("Boost.Fiber", "boost_fiber_channel"), ("Go", "go_channel")):
        if not (folder / program).exists():
            del variants[name]
    runs = harness.interleaved(args.rounds, variants)
    peers = [name for name in variants if name != "weft"]

    # Of the ratios, not of the times: what slows the machine for a while slows both sides of a round.
    def of_peer(peer, what):
        return harness.median(ours[what] / theirs[what] for ours, theirs in zip(runs["weft"], runs[peer]))

    names = list(runs["weft"][0])
    rows = [["ns", "weft"] + [text for peer in peers for text in (peer, "weft/it")]]
    for what in names:
        row = [what, f"{harness.median(one[what] for one in runs['weft']):.1f}"]
        for peer in peers:
            row += [f"{harness.median(one[what] for one in runs[peer]):.1f}", f"{of_peer(peer, what):.2f}x"]
        rows.append(row)
    harness.table(rows)
    print()
    verdicts = harness.Verdicts()
    for what, target in TARGETS.items():
        for peer in peers:
            verdicts.at_most(f"{what}, of {peer}'s", of_peer(peer, what), target)
    return 1 if args.check and verdicts.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"bench: {failed}")
