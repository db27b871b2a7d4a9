#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks of Weft beside those of the C++ library, Boost.Fiber and Go. The times are CPU time, but for `between_threads`.

    python3 bench/sync.py [--rounds 15] [--check]

A peer that is not installed (libboost-fiber-dev, golang-go) is left out.
"""
import comparison
import harness

TARGETS = [
    ("lock_unlock", "std", 1.0),
    ("contended_long/1000", "Go", 0.2),
    ("contended_long/1000", "Go on all processors", 0.2),
]

if __name__ == "__main__":
    harness.end_with(lambda: comparison.run(__doc__, "sync", TARGETS))
