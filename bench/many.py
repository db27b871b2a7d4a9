#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many live std::threads a program gets, and what each costs: many_threads on OS threads and on Weft.

    python3 bench/many.py [--count 100000] [--seconds 15] [--check]
"""
import argparse
import json
import subprocess
import sys

import harness

RESIDENT_TARGET_KIB = 16


def one_run(words, seconds):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, timeout=seconds + 120,
                          env=harness.environment(), preexec_fn=harness.die_with_parent, check=False)
    if done.returncode != 0:
        raise harness.Failed(f"{' '.join(map(str, words))} ended with status {done.returncode}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--hubs", default="1")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=15, help="all threads sleep until so long after the start")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    args = parser.parse_args()
    bin_folder = harness.binaries(args.build)
    program = [bin_folder / "many_threads", args.count, args.seconds]
    rows = [["", "alive at once", "OS threads", "made in", "resident each", "page tables each", "refusal"]]
    runs = {}
    for name, words in (("native", program), ("weft", harness.weft_run(bin_folder, args.hubs) + program)):
        run = runs[name] = one_run(words, args.seconds)
        rows.append([name, f"{run['alive']:,}", f"{run['os_threads']:,}", f"{run['make_seconds']:.2f} s",
                     f"{run['rss_kib_each']:.2f} KiB", f"{run['pte_kib_each']:.2f} KiB", run["refusal"] or "none"])
    harness.table(rows)
    verdicts = harness.Verdicts()
    print()
    verdicts.at_least("threads alive at once", runs["weft"]["alive"], args.count)
    verdicts.at_most("KiB resident each", runs["weft"]["rss_kib_each"], RESIDENT_TARGET_KIB)
    return 1 if args.check and verdicts.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"bench: {failed}")
