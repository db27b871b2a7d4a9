#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The unmodified thread_echo on OS threads and on Weft, in turns: requests/s, CPU time of the server per
request, p99, and what an idle connection costs.

    python3 bench/echo.py [--rounds 5] [--seconds 3] [--hubs 1] [--check]
"""
import sys
import time

import harness

MEASURES = [("requests/s", "requests_per_second", 1, "{:,.0f}"), ("CPU/request", "cpu_us", 1, "{:.1f} µs"),
            ("p50", "p50_us", 1e-3, "{:.2f} ms"), ("p99", "p99_us", 1e-3, "{:.2f} ms")]
RATE_TARGETS = {10: 1.0, 1_000: 1.3, 10_000: 1.3}
CPU_TARGETS = {1_000: 0.5, 10_000: 0.5}
MEMORY_TARGETS = {"weft": 0.5, "weft, 64K stacks": 0.4}
SETTLED_KIB = 128


def one_load(bin_folder, words, connections, args):
    with harness.Server(words) as server:
        report = harness.load(bin_folder, server, connections, seconds=args.seconds, warm_up=args.warm_up,
                              size=args.size)
    if report["errors"] or report["connected"] != connections:
        raise harness.Failed(f"{' '.join(map(str, words))} with {connections} connections: {report}")
    return report


def speed(bin_folder, variants, args, verdicts):
    rows = [["connections"] + [f"{name} {who}" for name, *_ in MEASURES for who in ("native", "weft", "ratio")]]
    for connections in args.connections:
        wanted = harness.affordable_connections(connections)
        runs = harness.interleaved(args.rounds, {
            name: lambda words=words: one_load(bin_folder, words, wanted, args) for name, words in variants.items()})
        cells, ratios = [f"{wanted:,}"], {}
        for _, key, scale, shape in MEASURES:
            native, weft = (harness.median(run.get(key) for run in runs[name]) for name in ("native", "weft"))
            ratios[key] = weft / native if native and weft is not None else None
            cells += [shape.format((value or 0) * scale) for value in (native, weft)]
            cells.append(harness.ratio(weft, native))
        rows.append(cells)
        if connections in RATE_TARGETS:
            verdicts.append(("at_least", f"requests/s at {connections}", ratios["requests_per_second"],
                             RATE_TARGETS[connections]))
            verdicts.append(("at_most", f"p99 at {connections}", ratios["p99_us"], 1.0))
        if connections in CPU_TARGETS:
            verdicts.append(("at_most", f"CPU per request at {connections}", ratios["cpu_us"],
                             CPU_TARGETS[connections]))
    harness.table(rows)


def settled_meminfo():
    """The kernel frees tasks and stacks late (RCU): read until two looks agree, 5 s at most."""
    last = harness.meminfo()
    for _ in range(25):
        time.sleep(0.2)
        now = harness.meminfo()
        if all(abs(now[name] - last[name]) < SETTLED_KIB for name in ("KernelStack", "SUnreclaim")):
            return now
        last = now
    return last


def one_idle(bin_folder, words, connections):
    """KiB that the connections add while nothing goes over them."""
    with harness.Server(words) as server:
        # The first thread may start up what all the others share.
        harness.load(bin_folder, server, 4, requests=100, seconds=5, warm_up=0)
        before, own_before = settled_meminfo(), harness.status(server.pid)
        load = harness.load_words(bin_folder, server, connections, idle=True, seconds=60)
        with harness.Process(load) as holder:
            held = int(holder.line(r"holding (\d+)$").group(1))
            after, own_after = settled_meminfo(), harness.status(server.pid)
        if held != connections:
            raise harness.Failed(f"{' '.join(map(str, words))} held {held} of {connections} connections")
    return {"resident": own_after["VmRSS"] - own_before["VmRSS"], "page tables": own_after["VmPTE"] - own_before["VmPTE"],
            "kernel stacks": after["KernelStack"] - before["KernelStack"],
            "slab": after["SUnreclaim"] - before["SUnreclaim"]}


def memory(bin_folder, variants, args, verdicts):
    connections = harness.affordable_connections(args.idle_connections)
    runs = harness.interleaved(args.rounds, {
        name: lambda words=words: one_idle(bin_folder, words, connections) for name, words in variants.items()})
    parts = ["resident", "page tables", "kernel stacks", "slab"]
    each = {name: {part: harness.median(run[part] for run in found) / connections for part in parts}
            for name, found in runs.items()}
    sockets = each.pop("sockets alone")["slab"]
    rows = [["KiB per idle connection"] + parts + ["sum", "ratio"]]
    native = None
    for name, cost in each.items():
        cost["slab"] -= sockets
        total = sum(cost.values())
        native = native or total
        rows.append([name] + [f"{cost[part]:.2f}" for part in parts] + [f"{total:.2f}", harness.ratio(total, native)])
        if name in MEMORY_TARGETS:
            verdicts.append(("at_most", f"memory per idle connection, {name}", total / native, MEMORY_TARGETS[name]))
    harness.table(rows)
    print(f"{connections:,} connections. resident: VmRSS; page tables: VmPTE; kernel stacks and slab: KernelStack and "
          f"SUnreclaim of /proc/meminfo,\nless the {sockets:.2f} KiB of slab per connection that sockets alone take "
          "(bench/holding_server.py).")


def add_load_arguments(parser, connections):
    parser.add_argument("--connections", type=lambda text: [int(word) for word in text.split(",")], default=connections)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warm-up", type=float, default=1)
    parser.add_argument("--size", type=int, default=64)


def main():
    parser = harness.arguments(__doc__, rounds=5)
    add_load_arguments(parser, [10, 1_000, 10_000])
    parser.add_argument("--idle-connections", type=int, default=10_000)
    parser.add_argument("--only", choices=["speed", "memory"])
    args = parser.parse_args()
    harness.raise_open_files()
    bin_folder = harness.binaries(args.build)
    program = [bin_folder / "thread_echo"]
    on_weft = harness.weft_run(bin_folder, args.hubs) + program
    found = []
    if args.only != "memory":
        speed(bin_folder, {"native": program, "weft": on_weft}, args, found)
    if args.only != "speed":
        print()
        memory(bin_folder, {
            "sockets alone": [sys.executable, harness.SOURCE / "bench" / "holding_server.py"], "native": program,
            "weft": on_weft, "weft, 64K stacks": harness.weft_run(bin_folder, args.hubs, "64K") + program}, args, found)
    verdicts = harness.Verdicts()
    print()
    for kind, name, value, target in found:
        getattr(verdicts, kind)(name, value, target)
    return verdicts.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
