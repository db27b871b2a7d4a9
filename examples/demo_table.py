#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What demo.sh shows once all is built: the same program on OS threads and on Weft, side by side."""
import argparse
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import harness  # noqa: E402

KERNEL_STACK_KIB = 16  # THREAD_SIZE on x86-64
PYTHON_SERVER = Path(__file__).resolve().parent / "python_http_server.py"


def thousands(value):
    return f"{value:,.0f}"


def row(label, bin_folder, words, connections, args, http=False):
    with harness.Server(words) as server:
        report = harness.load(bin_folder, server, connections, seconds=args.seconds, warm_up=args.warm_up, http=http,
                              connect_seconds=30)
        ended = server.stop()
    if not report["requests"]:
        raise harness.Failed(f"{label}: no answers: {report['first_error']}")
    used = report["server"]
    task, _ = harness.task_kib()
    kernel = used["threads"] * (KERNEL_STACK_KIB + task) + used["pte_kib"]
    notes = []
    if report["errors"]:
        notes.append(f"{report['errors']} errors, the first: {report['first_error']}")
    if ended != 0:
        notes.append(f"the server ended with status {ended}")
    return [label, thousands(report["connected"]), thousands(report["requests_per_second"]),
            f"{report['p50_us'] / 1000:.1f} ms", f"{report['p99_us'] / 1000:.1f} ms", f"{report['cpu_us']:.1f} µs",
            thousands(used["threads"]), f"{used['rss_kib'] / 1024:.1f} MiB", f"{kernel / 1024:.1f} MiB"], notes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", help="build folder (build/release)")
    parser.add_argument("--hubs", default="auto", help="hubs of `weft run`: a number or auto")
    parser.add_argument("--seconds", type=float, default=5, help="how long each run is counted")
    parser.add_argument("--warm-up", type=float, default=1)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--python-connections", type=int, default=1_000)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    bin_folder = harness.binaries(args.build)
    harness.raise_open_files()
    connections = harness.affordable_connections(args.connections)
    if connections < args.connections:
        print(f"The limit of open files allows {connections:,} of {args.connections:,} connections: so many it is.")
    on_weft = harness.weft_run(bin_folder, args.hubs)
    echo = [bin_folder / "thread_echo"]
    python = ["/usr/bin/python3", PYTHON_SERVER]
    plan = [("thread_echo, OS threads", echo, connections, False),
            ("thread_echo, weft run", on_weft + echo, connections, False),
            ("python3 ThreadingHTTPServer, OS threads", python, args.python_connections, True),
            ("python3 ThreadingHTTPServer, weft run", on_weft + python, args.python_connections, True)]
    rows = [["server", "connections", "requests/s", "p50", "p99", "CPU/request", "OS threads", "resident",
             "kernel memory"]]
    remarks = []
    for label, words, wanted, http in plan:
        print(f"Running {label} with {wanted:,} connections ...", flush=True)
        cells, notes = row(label, bin_folder, words, wanted, args, http)
        rows.append(cells)
        remarks += [f"{label}: {note}" for note in notes]
    print()
    harness.table(rows)
    task, measured = harness.task_kib()
    source = "/proc/slabinfo" if measured else "a usual figure, /proc/slabinfo not being readable"
    print(f"\nKernel memory of threads = OS threads x ({KERNEL_STACK_KIB} KiB kernel stack + {task:.1f} KiB task_struct, "
          f"from {source}) + the page tables of the process (VmPTE). Sockets cost the same on both sides and are left "
          "out.\nRequests: one at a time on each connection, 64-byte echoes or a GET; all answers were checked.")
    for remark in remarks:
        print(remark)
    print(f"The runs took {time.monotonic() - start:.0f} s.")
    return 1 if remarks else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except harness.Failed as failed:
        sys.exit(f"demo: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
