#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts a server, gives it a small load whose answers are checked, and wants a clean end on SIGTERM.

    smoke_test.py [--http] [--connections N] --bin FOLDER -- PROGRAM ARGS...
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import harness  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="where weft-load is")
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--threads", type=int, help="the most OS threads the server may have under load")
    parser.add_argument("program", nargs="+")
    args = parser.parse_args()
    with harness.Server(args.program) as server:
        report = harness.load(args.bin, server, args.connections, http=args.http, requests=2000, seconds=20,
                              warm_up=0.05)
        status = server.stop()
    print(report)
    problems = []
    if report["errors"] or report["connected"] != args.connections or not report["requests"]:
        problems.append("the load met errors")
    if args.threads and report["server"]["threads"] > args.threads:
        problems.append(f"more than {args.threads} OS threads")
    if status != 0:
        problems.append(f"the server ended with status {status}")
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    try:
        main()
    except harness.Failed as failed:
        sys.exit(str(failed))
