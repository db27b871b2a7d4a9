# SPDX-License-Identifier: MIT
"""The work of bench/sync_bench.cpp with gevent's semaphore, which is what its locks are made of."""
import gevent
from gevent.lock import BoundedSemaphore

from gevent_measure import measure

ROUNDS = 100


def lock_unlock(count):
    lock = BoundedSemaphore()
    for _ in range(count):
        lock.acquire()
        lock.release()


def contended(greenlets, yields):
    def work(count):
        lock = BoundedSemaphore()

        def take():
            for _ in range(ROUNDS):
                with lock:
                    if yields:
                        gevent.sleep(0)

        for _ in range(count // (greenlets * ROUNDS)):
            gevent.joinall([gevent.spawn(take) for _ in range(greenlets)])
    return work


measure("lock_unlock", 1000, lock_unlock)
measure("contended_short/1000", 1000 * ROUNDS, contended(1000, False))
measure("contended_long/1000", 1000 * ROUNDS, contended(1000, True))
