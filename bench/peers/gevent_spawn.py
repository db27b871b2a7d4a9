# SPDX-License-Identifier: MIT
"""The work of bench/spawn_bench.cpp with greenlets, and the same line."""
import os
import sys
import time

import gevent


def join(count):
    for _ in range(count):
        gevent.spawn(int).join()


def skynet(number, leaves):
    if leaves == 1:
        return number
    part = leaves // 10
    children = [gevent.spawn(skynet, number + i * part, part) for i in range(10)]
    return sum(child.get() for child in children)


def sleepers(count):
    everyone = []
    for i in range(count):
        everyone.append(gevent.spawn(gevent.sleep, 3600))
        if i % 1000 == 999:
            gevent.sleep(0)
    gevent.sleep(0)


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmHWM:", "VmPTE:")))


def main():
    work, count = sys.argv[1], int(sys.argv[2])
    gevent.spawn(int).join()
    before, cpu, start = peak_bytes(), time.process_time_ns(), time.perf_counter_ns()
    if work == "join":
        join(count)
    elif work == "skynet":
        if skynet(0, count) != count * (count - 1) // 2:
            sys.exit("gevent_spawn: the sum is wrong")
    elif work == "sleepers":
        sleepers(count)
    else:
        sys.exit(f"gevent_spawn: there is no '{work}'")
    wall, cpu = time.perf_counter_ns() - start, time.process_time_ns() - cpu
    print(f"{count} fibers {wall / count:.1f} {cpu / count:.1f} {peak_bytes() - before}", flush=True)
    os._exit(0)  # a million sleepers are not woken to end


main()
