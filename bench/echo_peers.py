#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo_server, on the library's fibers and one hub, beside the same server of others.

    python3 bench/echo_peers.py [--rounds 5] [--seconds 3] [--connections 1,100,1000,10000] [--peers libev,epoll,Go] [--check]

On libev callbacks, on raw epoll, in Go, on libuv, on State Threads, on gevent, and with a thread of the kernel for each connection.
A peer that is not there (bash cmake/install_deps.sh bench; cmake --build build/release --target bench_peers) is left out.
"""
import os

import echo
import harness

# Requests/s, of the peer's: at least so many times, up to so many connections.
TARGETS = [("libev", 0.95, 10_000), ("epoll", 0.92, 1_000), ("Go", 1.0, 10_000)]
PEERS = ["libev", "epoll", "Go", "libuv", "libst", "gevent", "threads"]


def main():
    parser = harness.arguments(__doc__, rounds=5)
    echo.add_load_arguments(parser, [1, 100, 1_000, 10_000])
    parser.add_argument("--peers", type=lambda text: text.split(","), default=PEERS, help=",".join(PEERS))
    args = parser.parse_args()
    harness.raise_open_files()
    folder = harness.binaries(args.build)
    servers = {"weft": [folder / "echo_server"], "libev": [folder / "echo_libev"], "epoll": [folder / "echo_epoll"],
               # One thread, as the others; its netpoller alone goes beyond.
               "Go": ["env", "GOMAXPROCS=1", folder / "go_echo"],
               "libuv": [folder / "echo_libuv"], "libst": [folder / "echo_libst"],
               "gevent": harness.gevent_peer("echo"), "threads": [folder / "thread_echo"]}
    servers = {who: words for who, words in servers.items()
               if words and os.path.exists(words[-1]) and (who == "weft" or who in args.peers)}
    peers = [who for who in servers if who != "weft"]

    verdicts = []
    measures = [("requests/s", "requests_per_second", "{:,.0f}"), ("CPU µs/request", "cpu_us", "{:.2f}")]
    rows = [["connections", "of"] + [text for who in servers for text in ([who] if who == "weft" else [who, "weft/it"])]]
    for connections in args.connections:
        wanted = harness.affordable_connections(connections)
        runs = harness.interleaved(args.rounds, {
            who: lambda words=words: echo.one_load(folder, words, wanted, args) for who, words in servers.items()})
        for name, key, shape in measures:
            row = [f"{wanted:,}", name]
            for who in servers:
                row.append(shape.format(harness.median(run.get(key) for run in runs[who]) or 0))
                if who != "weft":
                    row.append(harness.ratio(harness.median_ratio(runs["weft"], runs[who], key), 1))
            rows.append(row)
        verdicts += [(f"requests/s at {connections}, of {who}'s",
                      harness.median_ratio(runs["weft"], runs[who], "requests_per_second"), least)
                     for who, least, most in TARGETS if who in peers and connections <= most]
    harness.table(rows)
    print()
    found = harness.Verdicts()
    for verdict in verdicts:
        found.at_least(*verdict)
    return found.exit_status(args.check)


if __name__ == "__main__":
    harness.end_with(main)
