#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many live std::threads a program gets, and what each costs: many_threads on OS threads and on Weft.

    python3 bench/many.py [--count 100000] [--seconds 15] [--weft-only] [--check]
"""
import json

import harness

RESIDENT_TARGET_KIB = 16
PAGE_TABLES_KIB = 16
SKIPPED = 77


def main():
    parser = harness.arguments(__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=15, help="all threads sleep until so long after the start")
    parser.add_argument("--weft-only", action="store_true",
                        help="no run on OS threads: it takes all that there are, and other programs get none meanwhile")
    args = parser.parse_args()
    bin_folder = harness.binaries(args.build)
    needed = args.count * (RESIDENT_TARGET_KIB + PAGE_TABLES_KIB)
    if args.check and harness.meminfo()["MemAvailable"] < needed:
        print(f"skipped: {needed // 1024:,} MiB of memory are not available")
        return SKIPPED
    program = [bin_folder / "many_threads", args.count, args.seconds]
    rows = [["", "alive at once", "OS threads", "made in", "resident each", "page tables each", "refusal"]]
    runs = {}
    programs = {"native": program, "weft": harness.weft_run(bin_folder, args.hubs) + program}
    if args.weft_only:
        del programs["native"]
    for name, words in programs.items():
        run = runs[name] = json.loads(harness.output(words, args.seconds + 120))
        rows.append([name, f"{run['alive']:,}", f"{run['os_threads']:,}", f"{run['make_seconds']:.2f} s",
                     f"{run['rss_kib_each']:.2f} KiB", f"{run['pte_kib_each']:.2f} KiB", run["refusal"] or "none"])
    harness.table(rows)
    verdicts = harness.Verdicts()
    print()
    verdicts.at_least("threads alive at once", runs["weft"]["alive"], args.count)
    verdicts.at_most("KiB resident each", runs["weft"]["rss_kib_each"], RESIDENT_TARGET_KIB)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
