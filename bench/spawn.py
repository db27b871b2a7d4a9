#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many fibers: spawn+join, skynet, and fibers that sleep; the same work of Weft and others in turns, and the ratios.

    python3 bench/spawn.py [--rounds 5] [--count 1000000] [--check]

Others are Go, libst (spawn+join alone: its stacks are mappings, of which there are not so many) and gevent, with a tenth of the
fibers; those that are there (bash cmake/install_deps.sh bench; cmake --build build/release --target bench_peers).
"""
import os

import harness

WORKS = ("join", "skynet", "sleepers")


def main():
    parser = harness.arguments(__doc__, hubs=False, rounds=5)
    parser.add_argument("--count", type=int, default=1_000_000, help="fibers; a power of ten for skynet")
    args = parser.parse_args()
    folder = harness.binaries(args.build)
    programs = {"weft": [folder / "spawn_bench"], "Go": [folder / "go_spawn"], "libst": [folder / "libst_spawn"],
                "gevent": harness.gevent_peer("spawn")}
    programs = {name: words for name, words in programs.items() if words and os.path.exists(words[-1])}

    def run(name, work):
        count = args.count // 10 if name == "gevent" else args.count
        _, _, wall, cpu, peak = harness.output([*programs[name], work, count], seconds=600).split()
        return {"ns": float(wall), "cpu": float(cpu), "bytes": int(peak), "each": int(peak) / count}

    verdicts = harness.Verdicts()
    rows = [["each fiber", "ns", "CPU ns", "peak MB", "bytes"]]
    sums = []
    for work in WORKS:
        runs = harness.interleaved(args.rounds, {
            name: lambda name=name: run(name, work) for name in programs if name != "libst" or work == "join"})
        found = {name: {what: harness.median(one[what] for one in all_runs) for what in ("ns", "cpu", "bytes", "each")}
                 for name, all_runs in runs.items()}
        for name, value in found.items():
            rows.append([f"{work}, {name}", f"{value['ns']:.0f}", f"{value['cpu']:.0f}", f"{value['bytes'] / 1e6:.0f}",
                         f"{value['each']:.0f}"])
        sums.append((work, runs, found["weft"]))
    harness.table(rows)
    print()
    for work, runs, weft in sums:
        if "Go" in runs and work != "sleepers":
            of_go = harness.median_ratio(runs["weft"], runs["Go"], "cpu")
            verdicts.at_most(f"{work}, CPU time, of Go's", of_go, 0.25 if work == "join" else 1)
        if work == "skynet":
            verdicts.at_most("skynet, MB", weft["bytes"] / 1e6, 400)
        if work == "sleepers":
            verdicts.at_most("sleepers, KiB each", weft["bytes"] / args.count / 1024, 4.6)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
