#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An idle server must not wake up: context switches and CPU time of thread_echo over a window of silence, with
connections open and all its threads waiting, on OS threads and on Weft.

    python3 bench/idle.py [--seconds 10] [--connections 100] [--check]
"""
import time

import harness


def settle(pid):
    """Until the last thread has reached its wait: half a second without a switch, or a minute."""
    before, last = None, time.monotonic() + 60
    while (switches := harness.context_switches(pid)) != before and time.monotonic() < last:
        before = switches
        time.sleep(0.5)


def one_window(bin_folder, words, args):
    with harness.Server(words) as server:
        load = harness.load_words(bin_folder, server, args.connections, idle=True, seconds=args.seconds + 30)
        with harness.Process(load) as holder:
            held = int(holder.line(r"holding (\d+)$").group(1))
            settle(server.pid)
            switches, cpu = harness.context_switches(server.pid), harness.cpu_seconds(server.pid)
            time.sleep(args.seconds)
            return {"held": held, "threads": harness.status(server.pid)["Threads"],
                    "switches": harness.context_switches(server.pid) - switches,
                    "cpu_ms": (harness.cpu_seconds(server.pid) - cpu) * 1000}


def main():
    parser = harness.arguments(__doc__)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    args = parser.parse_args()
    bin_folder = harness.binaries(args.build)
    program = [bin_folder / "thread_echo"]
    rows = [[f"{args.seconds:g} s of silence", "connections", "OS threads", "context switches", "CPU time"]]
    runs = {}
    for name, words in (("native", program), ("weft", harness.weft_run(bin_folder, args.hubs) + program)):
        run = runs[name] = one_window(bin_folder, words, args)
        rows.append([name, run["held"], run["threads"], run["switches"], f"{run['cpu_ms']:.0f} ms"])
    harness.table(rows)
    verdicts = harness.Verdicts()
    print()
    verdicts.at_most("context switches while idle", runs["weft"]["switches"], 0)
    verdicts.at_most("ms of CPU time while idle", runs["weft"]["cpu_ms"], 0)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
