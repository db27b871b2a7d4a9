# SPDX-License-Identifier: MIT
"""Debian's unmodified Python with thousands of threads, natively and under Weft.

    python3 python_test.py [--weft WEFT] [--hubs 1,2] threads|misc|http
"""

import json
import os
import subprocess

import support
from support import check, started, wait_until


def check_facts(mode, path, alive, who):
    with open(path, encoding="utf-8") as text:
        facts = json.load(text)
    check(facts["alive"] >= alive, f"{who}: {facts['alive']} threads alive, not {alive}")
    if mode.hubs:
        check(facts["tasks"] <= mode.hubs,
              f"{who} ({mode.name}): {facts['tasks']} OS threads for {mode.hubs} hub(s)")
    else:
        check(facts["tasks"] > alive, f"{who}: {facts['tasks']} OS threads natively")
    print(f"  {mode.name}: {who}: {facts['alive']} threads on {facts['tasks']} OS threads")


def script(name):
    return os.path.join(support.HERE, name)


def threads(mode, count):
    with support.workspace("threads") as directory:
        facts = os.path.join(directory, "facts")
        command = mode.command([support.PYTHON, script("python_threads.py"), str(count), facts])
        with started(command, directory, "python_threads") as program:
            program.expect(180)
            check_facts(mode, facts, count, "threads")
            return program.output()


def misc(mode, _):
    with support.workspace("misc") as directory:
        ready, report = os.path.join(directory, "ready"), os.path.join(directory, "report")
        command = mode.reporting([support.PYTHON, script("python_misc.py"), ready], report)
        with started(command, directory, "python_misc", cwd=directory, stdin=subprocess.PIPE) as program:
            wait_until(lambda: os.path.exists(ready) or not program.alive(), 120, "fifty threads at the end")
            check(program.alive(), f"it died\n{program.tail()}")
            mode.check_threads(program.pid, 51, "misc")
            program.popen.stdin.close()
            program.expect(120)
            mode.check_report(report, "python3", 900)
            return program.output()


def http(mode, count):
    with support.workspace("http") as directory:
        def path(name):
            return os.path.join(directory, name)

        serve = mode.command([support.PYTHON, script("python_http.py"), "server", str(count),
                              path("port"), path("server.facts")])
        with started(serve, directory, "server") as server:
            wait_until(lambda: os.path.exists(path("port")) or not server.alive(), 60, "the port")
            check(server.alive(), f"the server died\n{server.tail()}")
            with open(path("port"), encoding="utf-8") as text:
                port = text.read()
            ask = mode.command([support.PYTHON, script("python_http.py"), "client", str(count),
                                port, path("answers"), path("client.facts")])
            with started(ask, directory, "client") as client:
                client.expect(150)
            server.stop(60)
            answer = server.output() + client.output()
        check_facts(mode, path("server.facts"), count, "server")
        check_facts(mode, path("client.facts"), count, "clients")
        with open(path("answers"), encoding="utf-8") as text:
            answers = text.read()
        check(answers == f"{4 * count} right answers of {4 * count}; errors: []\n", answers)
        return answers + answer


def main():
    def extra(parser):
        parser.add_argument("case", choices=("threads", "misc", "http"))
        parser.add_argument("--count", type=int, default=0)

    args = support.parse(__doc__.splitlines()[0], extra)
    support.need("python3", support.PYTHON)
    body = {"threads": threads, "misc": misc, "http": http}[args.case]
    count = args.count or {"threads": 2000, "misc": 0, "http": 1000}[args.case]
    support.run_modes(args, lambda mode: body(mode, count))


if __name__ == "__main__":
    support.main(main)
