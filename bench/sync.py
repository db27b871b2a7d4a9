#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks of Weft beside those of the C++ library, Boost.Fiber and Go: the same work in turns, and the ratio of each round. The times
are CPU time, but for `between_threads`.

    python3 bench/sync.py [--rounds 15] [--check]

A peer that is not installed (libboost-fiber-dev, golang-go) is left out.
"""
import argparse
import json
import subprocess
import sys

import harness

# What, of whom, at most. Names that end in /std are rows of our own program.
TARGETS = [
    ("lock_unlock", "std", 1.0),
    ("contended_long/1000", "Go", 0.2),
    ("contended_long/1000", "Go on all processors", 0.2),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each benchmark in each round")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    args = parser.parse_args()
    folder = harness.binaries(args.build)

    def run(*words):
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=300, env=harness.environment(), preexec_fn=harness.die_with_parent, check=False)
        if done.returncode != 0:
            raise harness.Failed(f"{words[0]} ended with status {done.returncode}")
        return done.stdout

    def google(name):
        text = run(folder / name, "--benchmark_format=json", f"--benchmark_min_time={args.seconds}")
        return {one["name"].removesuffix("/real_time"): 1e9 / one["items_per_second"]
                for one in json.loads(text)["benchmarks"]}

    def go():
        lines = run(folder / "go_sync", args.seconds).splitlines()
        return {name: float(value) for name, value in (line.split() for line in lines)}

    programs = {"weft": ("sync_bench", lambda: google("sync_bench")),
                "Boost.Fiber": ("boost_fiber_sync", lambda: google("boost_fiber_sync")), "Go": ("go_sync", go)}
    runs = harness.interleaved(args.rounds, {who: function for who, (program, function) in programs.items()
                                             if (folder / program).exists()})

    def time_of(who, what, number):
        """Nanoseconds in one round, or None where there is no such row."""
        if who == "std":
            return runs["weft"][number].get(what + "/std")
        if who == "Go on all processors":
            return runs["Go"][number].get(what + "/all_processors") if "Go" in runs else None
        return runs[who][number].get(what) if who in runs else None

    def ratio(what, who):
        """Of the ratios, not of the times: what slows the machine for a while slows both sides of a round."""
        pairs = [(time_of("weft", what, i), time_of(who, what, i)) for i in range(args.rounds)]
        return harness.median(ours / theirs if theirs else None for ours, theirs in pairs)

    peers = ["std", "Boost.Fiber", "Go", "Go on all processors"]
    rows = [["ns", "weft"] + [text for peer in peers for text in (peer, "weft/it")]]
    for what in (name for name in runs["weft"][0] if not name.endswith("/std")):
        row = [what]
        for who in ["weft"] + peers:
            middle = harness.median(time_of(who, what, i) for i in range(args.rounds))
            row.append("-" if middle is None else f"{middle:.1f}")
            if who != "weft":
                row.append("-" if middle is None else f"{ratio(what, who):.2f}x")
        rows.append(row)
    harness.table(rows)
    print()
    verdicts = harness.Verdicts()
    for what, who, most in TARGETS:
        found = ratio(what, who)
        if found is not None:
            verdicts.at_most(f"{what}, of {who}", found, most)
    return 1 if args.check and verdicts.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"bench: {failed}")
