# SPDX-License-Identifier: MIT
"""Thousands of threading.Threads through every primitive of `threading` and `queue`.

    python3 python_threads.py COUNT FACTS

Standard output is the same on every run; FACTS gets the number of kernel threads seen while COUNT
threads were alive, as JSON.
"""

import json
import os
import queue
import sys
import threading
import time

COUNT = int(sys.argv[1])
threading.stack_size(256 * 1024)


def tasks():
    return len(os.listdir("/proc/self/task"))


def run(count, function):
    threads = [threading.Thread(target=function, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def all_alive():
    """COUNT threads stand at one barrier; the last to come counts the kernel threads."""
    seen, indices = [], [0] * COUNT
    barrier = threading.Barrier(COUNT, action=lambda: seen.append((threading.active_count(), tasks())))

    def body(_):
        indices[barrier.wait()] += 1
        barrier.wait()

    run(COUNT, body)
    print("barrier: every index once:", indices == [1] * COUNT, "twice passed:", len(seen))
    return {"alive": seen[0][0] - 1, "tasks": seen[0][1]}


def locks():
    lock, rlock, counters = threading.Lock(), threading.RLock(), {"lock": 0, "rlock": 0}

    def body(index):
        for _ in range(5):
            with lock:
                value = counters["lock"]
                if index % 97 == 0:
                    time.sleep(0)
                counters["lock"] = value + 1
        with rlock:
            with rlock:
                value = counters["rlock"]
                with rlock:
                    counters["rlock"] = value + 1

    run(COUNT, body)
    print("lock:", counters["lock"], "rlock:", counters["rlock"])
    try:
        rlock.release()
    except RuntimeError as error:
        print("rlock, not owned:", error)


def conditions():
    condition, turn, order = threading.Condition(), [0], []

    def body(index):
        with condition:
            condition.wait_for(lambda: turn[0] == index)
            order.append(index)
            turn[0] += 1
            condition.notify_all()

    count = min(COUNT, 150)
    run(count, body)
    print("condition: in order:", order == list(range(count)))

    arrived, woken = threading.Semaphore(0), []

    def waiter(index):
        with condition:
            arrived.release()
            condition.wait()
            woken.append(index)

    threads = [threading.Thread(target=waiter, args=(index,)) for index in range(COUNT)]
    for thread in threads:
        thread.start()
    for _ in range(COUNT):
        arrived.acquire()
    with condition:
        condition.notify(10)
        condition.notify_all()
    for thread in threads:
        thread.join()
    print("condition: woken:", sorted(woken) == list(range(COUNT)))


def semaphores():
    semaphore, inside, most, lock = threading.Semaphore(7), [0], [0], threading.Lock()

    def body(_):
        with semaphore:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0)
            with lock:
                inside[0] -= 1

    run(COUNT, body)
    print("semaphore: within 7:", most[0] <= 7, "left:", inside[0])
    bounded = threading.BoundedSemaphore(1)
    try:
        bounded.release()
    except ValueError as error:
        print("bounded semaphore:", error)


def queues():
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue):
        items = kind() if kind is queue.SimpleQueue else kind(50)
        sums, half = [0] * COUNT, COUNT // 2

        def body(index, items=items, sums=sums, half=half):
            for step in range(4):
                if index < half:
                    items.put(index * 4 + step)
                else:
                    sums[index] += items.get()
                    if hasattr(items, "task_done"):
                        items.task_done()

        run(2 * half, body)
        if hasattr(items, "join"):
            items.join()
        print(kind.__name__, sum(sums) == sum(range(4 * half)), items.empty())


def locals_and_events():
    local, event, wrong = threading.local(), threading.Event(), []

    class Sub(threading.local):
        def __init__(self, first):
            self.items = [first]

    sub = Sub("start")

    def body(index):
        local.value = index
        sub.items.append(index)
        event.wait()
        if local.value != index or sub.items != ["start", index]:
            wrong.append(index)

    threads = [threading.Thread(target=body, args=(index,)) for index in range(COUNT)]
    for thread in threads:
        thread.start()
    event.set()
    for thread in threads:
        thread.join()
    print("local: wrong:", wrong, "main has one:", hasattr(local, "value"), sub.items)


def timed(name, function, least):
    start = time.monotonic()
    result = function()
    took = time.monotonic() - start
    print("timeout:", name, result, "not early:", took >= least * 0.99, "not late:", took < 20)


def raises(function, kind):
    try:
        function()
    except kind as error:
        return type(error).__name__
    return "nothing"


def timeouts():
    lock, condition = threading.Lock(), threading.Condition()
    lock.acquire()

    def wait_condition():
        with condition:
            return condition.wait(0.05)

    sleeper = threading.Thread(target=lock.acquire)
    sleeper.start()
    timed("lock", lambda: lock.acquire(timeout=0.05), 0.05)
    timed("join", lambda: (sleeper.join(0.05), sleeper.is_alive()), 0.05)
    timed("condition", wait_condition, 0.05)
    timed("semaphore", lambda: threading.Semaphore(0).acquire(timeout=0.05), 0.05)
    timed("event", lambda: threading.Event().wait(0.05), 0.05)
    timed("queue get", lambda: raises(lambda: queue.Queue().get(timeout=0.05), queue.Empty), 0.05)
    full = queue.Queue(1)
    full.put(1)
    timed("queue put", lambda: raises(lambda: full.put(2, timeout=0.05), queue.Full), 0.05)
    barrier = threading.Barrier(2)
    timed("barrier", lambda: raises(lambda: barrier.wait(0.05), threading.BrokenBarrierError), 0.05)
    lock.release()
    sleeper.join()
    late = []
    timer = threading.Timer(0.05, lambda: late.append(1))
    timer.start()
    timer.join()
    gone = threading.Timer(60, lambda: late.append(2))
    gone.start()
    gone.cancel()
    gone.join()
    print("timers:", late)

    slept = []

    def sleep(index):
        time.sleep(index % 10 * 0.01)
        slept.append(index)

    run(COUNT, sleep)
    print("slept:", len(slept))


def busy():
    """A thread that never waits, beside one that sleeps and one that answers."""
    stop, wakes, spins = threading.Event(), [], [0]
    flag = [False]

    def spin():
        while not stop.is_set():
            spins[0] += 1

    def wait_for_flag():
        while not flag[0]:
            pass

    def sleeper():
        for _ in range(10):
            time.sleep(0.001)
            wakes.append(1)
        flag[0] = True
        stop.set()

    threads = [threading.Thread(target=body) for body in (spin, wait_for_flag, sleeper)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("busy:", len(wakes), spins[0] > 0)


facts = all_alive()
for section in (locks, conditions, semaphores, queues, locals_and_events, timeouts, busy):
    section()
names = threading.Thread(target=lambda: print("name:", threading.current_thread().name), name="one")
names.start()
names.join()
print("idents differ:", threading.get_ident() != names.ident, "native ids differ:",
      threading.get_native_id() != names.native_id, "left:", threading.active_count())
with open(sys.argv[2], "w", encoding="utf-8") as out:
    json.dump(facts, out)
