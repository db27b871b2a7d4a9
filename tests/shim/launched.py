#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What reaches the shim of each way to give it something: options of `weft run`, variables, and the limits it is started under.

    launched.py WEFT SHIM LAUNCHED
"""
import json
import os
import re
import resource
import subprocess
import sys

NATIVE_TASKS = 11  # main and ten more


class Ways:
    def __init__(self, weft, shim, program):
        self.weft, self.shim, self.program = weft, shim, program
        self.wrong = []

    def says(self, name, command, wanted, variables=(), before=None):
        """`wanted`: a line for each process, as a list of (stack, tasks, preload), where None stands for anything."""
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("WEFT")}
        environment.update(variables)
        run = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True, preexec_fn=before)
        got = re.findall(r"^stack (\d+) tasks (\d+) preload (\S+)$", run.stdout, re.MULTILINE)
        got = [(int(stack), int(tasks), preload) for stack, tasks, preload in got]
        same = len(got) == len(wanted) and all(w is None or w == g for line, want in zip(got, wanted)
                                               for g, w in zip(line, want))
        if not same or run.returncode != 0 or run.stderr:
            self.wrong.append(f"{name}: wanted {wanted}, got {got}, status {run.returncode}\n{run.stdout}{run.stderr}")

    def run(self, *options):
        return [self.weft, "run", *options, "--", self.program]

    def hubs(self):
        doctor = subprocess.run([self.weft, "doctor", "--json", self.program], stdout=subprocess.PIPE, text=True, check=False)
        found = [f["text"] for f in json.loads(doctor.stdout)["findings"] if f["check"] == "hubs"]
        return int(re.search(r"auto gives (\d+)", found[0])[1])


def on_one_cpu():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def with_few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))


def main(weft, shim, program):
    ways = Ways(weft, shim, program)
    plain = {"LD_PRELOAD": shim, "WEFT_HUBS": "1"}
    ways.says("natively", [program], [(None, NATIVE_TASKS, "-")])
    ways.says("plain LD_PRELOAD", [program], [(256 << 10, 1, shim)], {**plain, "WEFT_STACK_SIZE": "256K"})
    ways.says("two hubs by a variable", [program], [(None, 2, shim)], {"LD_PRELOAD": shim, "WEFT_HUBS": "2"})
    ways.says("--stack-size", ways.run("--hubs", "1", "--stack-size", "128K"), [(128 << 10, 1, shim)])
    ways.says("--hubs auto", ways.run("--hubs", "auto"), [(None, ways.hubs(), shim)])
    ways.says("no --hubs", ways.run(), [(None, ways.hubs(), shim)])
    ways.says("--hubs auto on one CPU", ways.run("--hubs", "auto"), [(None, 1, shim)], before=on_one_cpu)
    ways.says("WEFT_EXCLUDE", ways.run("--hubs", "1"), [(None, NATIVE_TASKS, shim)],
              {"WEFT_EXCLUDE": "other," + os.path.basename(program)})
    ways.says("--exclude of another", ways.run("--hubs", "1", "--exclude", "other"), [(None, 1, shim)])
    ways.says("WEFT=0", [program], [(None, NATIVE_TASKS, shim)], {**plain, "WEFT": "0"})
    ways.says("a list without thread", ways.run("--hubs", "1", "--patch", "all,-thread"), [(None, NATIVE_TASKS, shim)])
    ways.says("a child", [*ways.run("--hubs", "1"), "child"], [(None, 1, shim)] * 2)
    ways.says("--no-follow", [*ways.run("--hubs", "1", "--no-follow"), "child"], [(None, 1, "-"), (None, NATIVE_TASKS, "-")])
    ways.says("few descriptors", [*ways.run("--hubs", "1"), "child"], [(None, 1, shim)] * 2, before=with_few_descriptors)
    if ways.wrong:
        sys.exit("\n".join(ways.wrong))


if __name__ == "__main__":
    main(*map(os.path.abspath, sys.argv[1:4]))
