# SPDX-License-Identifier: MIT
"""The work of bench/channel_bench.cpp on gevent's queues; None stands for a channel that is closed."""
import gevent
from gevent.queue import Channel, Queue

from gevent_measure import measure


def round_trip(make):
    def work(count):
        there, back = make(), make()

        def answer():
            while (value := there.get()) is not None:
                back.put(value + 1)

        other = gevent.spawn(answer)
        value = 0
        for _ in range(count):
            there.put(value)
            value = back.get()
        there.put(None)
        other.join()
    return work


def flow(count):
    queue = Queue(64)

    def add_up():
        total = 0
        while (value := queue.get()) is not None:
            total += value

    other = gevent.spawn(add_up)
    for value in range(count):
        queue.put(value)
    queue.put(None)
    other.join()


def send_and_receive(count):
    queue = Queue(2)
    for _ in range(count):
        queue.put(1)
        queue.get()


measure("round_trip/0", 1000, round_trip(Channel))
measure("round_trip/2", 1000, round_trip(lambda: Queue(2)))
measure("flow/64", 1000, flow)
measure("send_and_receive", 1000, send_and_receive)
