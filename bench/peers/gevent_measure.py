# SPDX-License-Identifier: MIT
"""What the peers on gevent share. Argument of each program: seconds of each measurement."""
import sys
import time


def measure(name, smallest, work):
    """Prints "NAME NANOSECONDS" of CPU time: more and more until the time is used up, as measure.go does."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.1
    count = smallest
    while True:
        start = time.process_time()
        work(count)
        used = time.process_time() - start
        if used >= seconds:
            print(f"{name} {used * 1e9 / count:.3f}")
            return
        count *= 4
