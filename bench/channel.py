#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Channels of Weft beside those of Boost.Fiber and Go. The times are CPU time, but for `between_hubs`.

    python3 bench/channel.py [--rounds 15] [--check]

A peer that is not installed (libboost-fiber-dev, golang-go) is left out.
"""
import comparison
import harness

TARGETS = [(what, who, 0.2) for what in ("round_trip/0", "round_trip/2") for who in ("Boost.Fiber", "Go")]

if __name__ == "__main__":
    harness.end_with(lambda: comparison.run(__doc__, "channel", TARGETS))
