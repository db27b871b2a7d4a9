# SPDX-License-Identifier: MIT
"""subprocess, concurrent.futures, asyncio, signal and select, beside and inside many threads.

    python3 python_misc.py READY

Standard output is the same on every run. Behind all that, the file READY is made while fifty threads are alive and a line or the end
of standard input is waited for: time to count the kernel threads.
"""

import asyncio
import concurrent.futures
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time


def run(count, function):
    results = [None] * count

    def body(index):
        results[index] = function(index)

    threads = [threading.Thread(target=body, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def background(function):
    """Keeps some threads alive and blocked while the function runs."""
    release = threading.Event()
    threads = [threading.Thread(target=release.wait) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        function()
    finally:
        release.set()
        for thread in threads:
            thread.join()


def subprocesses():
    echo = [sys.executable, "-c", "import sys; print(sys.argv[1]); print('e', file=sys.stderr)"]

    def one(index):
        done = subprocess.run([*echo, str(index)], capture_output=True, check=True)
        return done.stdout.decode().strip(), done.stderr.decode().strip()

    print("subprocess.run:", run(20, one) == [(str(index), "e") for index in range(20)])
    data = os.urandom(1 << 20)
    cat = run(8, lambda _: subprocess.run(["cat"], input=data, capture_output=True,
                                          check=True).stdout == data)
    print("subprocess, a MiB through cat:", cat)
    start = time.monotonic()
    try:
        subprocess.run(["sleep", "1000"], timeout=0.1, check=True)
    except subprocess.TimeoutExpired:
        print("subprocess timeout:", 0.1 <= time.monotonic() - start)
    child = subprocess.Popen(["sleep", "60"])
    waiter = threading.Thread(target=child.wait)
    waiter.start()
    child.send_signal(signal.SIGTERM)
    waiter.join()
    print("subprocess ended by:", child.returncode)
    print("shell:", subprocess.check_output("echo a | tr a b; exit 0", shell=True),
          subprocess.call("exit 7", shell=True), subprocess.getoutput("echo x"))
    with subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          start_new_session=True, preexec_fn=lambda: os.nice(0)) as sort:
        print("sort:", sort.communicate(b"c\nb\na\n")[0])
    pids = run(20, lambda index: os.spawnlp(os.P_WAIT, "sh", "sh", "-c", f"exit {index}"))
    print("spawn:", pids == list(range(20)))
    pid = os.fork()
    if pid == 0:
        ok = threading.active_count() == 1
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
        os._exit(5 if ok else 6)
    print("fork:", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def square(number):
    return number * number


def futures():
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        print("thread pool:", sum(pool.map(square, range(2000))))
        slow = [pool.submit(time.sleep, 0.01 * (index % 3)) for index in range(300)]
        done, left = concurrent.futures.wait(slow, timeout=120)
        print("wait:", len(done), len(left))
        print("as_completed:", len(list(concurrent.futures.as_completed(slow))))
        late = threading.Event()
        try:
            pool.submit(late.wait).result(timeout=0.01)
        except concurrent.futures.TimeoutError:
            print("future: timeout")
        late.set()
        print("future:", pool.submit(int, "x").exception())
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print("process pool:", sum(pool.map(square, range(200), chunksize=10)))


async def loops():
    async def handle(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=500)
    port = server.sockets[0].getsockname()[1]

    async def client(index):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        good = 0
        for step in range(5):
            writer.write(f"line {index} {step}\n".encode())
            good += await reader.readline() == f"LINE {index} {step}\n".encode()
        writer.close()
        await writer.wait_closed()
        return good

    print("asyncio echo:", sum(await asyncio.gather(*map(client, range(200)))))
    server.close()
    loop = asyncio.get_running_loop()
    print("to_thread:", sum(await asyncio.gather(*(asyncio.to_thread(square, n) for n in range(100)))))
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except asyncio.TimeoutError:
        print("wait_for: timeout")
    child = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE)
    print("asyncio child:", (await child.communicate(b"hello"))[0], child.returncode)
    called = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, called.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(called.wait(), 120)
    print("asyncio signal:", loop.remove_signal_handler(signal.SIGUSR1))
    names = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    print("getaddrinfo:", names[0][4])


def signals():
    got = []
    signal.signal(signal.SIGALRM, lambda *_: got.append(threading.current_thread().name))
    signal.signal(signal.SIGUSR1, lambda *_: got.append("usr1"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    start = time.monotonic()
    time.sleep(0.3)
    print("timer in sleep:", got, time.monotonic() - start >= 0.29)
    got.clear()
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while len(got) < 5:
        signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("interval:", len(got) >= 5, set(got))
    got.clear()

    ready, done = threading.Event(), threading.Event()

    def victim():
        ready.set()
        while not done.is_set():
            time.sleep(0.05)

    thread = threading.Thread(target=victim)
    thread.start()
    ready.wait()
    signal.pthread_kill(thread.ident, signal.SIGUSR1)
    done.set()
    thread.join()
    print("pthread_kill:", got)
    got.clear()

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    caught = []
    thread = threading.Thread(target=lambda: caught.append(signal.sigwait([signal.SIGUSR2])))
    thread.start()
    os.kill(os.getpid(), signal.SIGUSR2)
    thread.join()
    print("sigwait in a thread:", caught == [signal.SIGUSR2])
    os.kill(os.getpid(), signal.SIGUSR2)
    print("pending:", signal.SIGUSR2 in signal.sigpending(),
          signal.sigtimedwait([signal.SIGUSR2], 5).si_signo == signal.SIGUSR2,
          signal.sigtimedwait([signal.SIGUSR2], 0.05))

    reading, writing = socket.socketpair()
    writing.setblocking(False)
    old = signal.set_wakeup_fd(writing.fileno())
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    print("wakeup fd:", select.select([reading], [], [], 120)[0] == [reading],
          reading.recv(1) == bytes([signal.SIGUSR1]))
    signal.set_wakeup_fd(old)

    class Enough(Exception):
        pass

    def interrupt(*_):
        raise Enough

    signal.signal(signal.SIGALRM, interrupt)
    for name, wait in (("lock", threading.Lock()), ("sleep", None), ("recv", None), ("queue", None)):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            if name == "lock":
                wait.acquire()
                wait.acquire()
            elif name == "sleep":
                time.sleep(60)
            elif name == "queue":
                threading.Event().wait(60)
            else:
                reading.recv(1)
        except Enough:
            print("handler raised out of", name)


def selects():
    pairs = [socket.socketpair() for _ in range(100)]

    def wait(index):
        left = pairs[index][0]
        kind = index % 3
        if kind == 0:
            return bool(select.select([left], [], [], 120)[0])
        if kind == 1:
            poll = select.poll()
            poll.register(left, select.POLLIN)
            return poll.poll(120000) == [(left.fileno(), select.POLLIN)]
        with select.epoll() as epoll:
            epoll.register(left, select.EPOLLIN)
            return epoll.poll(120) == [(left.fileno(), select.EPOLLIN)]

    def answer(index):
        pairs[index][1].send(b"x")
        return True

    both = run(200, lambda index: wait(index) if index < 100 else answer(index - 100))
    print("select, poll, epoll:", all(both))
    start = time.monotonic()
    nothing = run(60, lambda index: select.select([pairs[index][1]], [], [], 0.05)[0])
    print("select timeouts:", nothing.count([]), 0.05 <= time.monotonic() - start)
    for left, right in pairs:
        left.close()
        right.close()
    reading, writing = os.pipe()
    reader = threading.Thread(target=lambda: print("pipe:", os.read(reading, 10)))
    reader.start()
    os.write(writing, b"through")
    reader.join()
    os.close(writing)
    print("end of pipe:", os.read(reading, 10))
    os.close(reading)


def counting():
    with open(sys.argv[1], "w", encoding="utf-8"):
        pass
    sys.stdin.readline()


for section in (subprocesses, selects, futures, lambda: asyncio.run(loops()), signals):
    section()
    sys.stdout.flush()
    background(section)
    sys.stdout.flush()
background(counting)
