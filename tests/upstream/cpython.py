# SPDX-License-Identifier: MIT
"""Runs CPython's own test modules natively and under Weft and compares test by test.

    python3 cpython.py [--weft WEFT] [--hubs 1,2] [--short] MODULE...

No test may fail, or be skipped, that passes natively: what fails or is skipped under Weft is run natively too. A crash or a hang is
never run again under Weft. A test that fails and then passes, alone, is unsteady: that is let pass if it stands in expected_failures.txt
as such, or if it is unsteady natively too, alone beside busy processes. The list is strict: a listed test that passes is an error.
"""

import fnmatch
import json
import os
import signal
import subprocess
import sys
import time

import support
from support import Failure, check

EXPECTED = os.path.join(support.HERE, "expected_failures.txt")
LONG = os.path.join(support.HERE, "cpython_long.txt")
GOOD = ("ok", "xfail", "skip")

# `requires('network')` guards the whole of test_socketserver, which only talks to itself.
RESOURCES = {"test_socketserver": ["network"]}

class Outcome:
    def __init__(self, outcome, detail="", seconds=0.0):
        self.outcome = outcome
        self.detail = detail
        self.seconds = seconds

    def good(self):
        return self.outcome in GOOD


class Attempt:
    """One child, watched through its log."""

    def __init__(self, mode, module, directory, plan, limit):
        self.mode, self.module, self.limit = mode, module, limit
        self.log = os.path.join(directory, "log")
        plan_path = os.path.join(directory, "plan")
        with open(plan_path, "w", encoding="utf-8") as out:
            json.dump(plan, out)
        open(self.log, "w", encoding="utf-8").close()
        child = os.path.join(support.HERE, "cpython_child.py")
        command = mode.command([support.PYTHON, child, module, self.log, plan_path])
        self.process = support.started(command, directory, module, cwd=directory)
        self.results, self.current, self.since = {}, None, time.monotonic()
        self.used, self.idle_since = 0, self.since
        self.done, self.most_tasks = False, 0
        self.offset = 0

    def read(self):
        with open(self.log, encoding="utf-8") as text:
            text.seek(self.offset)
            for line in text:
                if not line.endswith("\n"):
                    break
                self.offset += len(line.encode())
                entry = json.loads(line)
                self.since = time.monotonic()
                if entry["event"] == "start":
                    self.current = entry["id"]
                elif entry["event"] == "end":
                    self.results[entry["id"]] = Outcome(entry["outcome"], entry["detail"],
                                                        entry["seconds"])
                    self.current = None
                elif entry["event"] == "done":
                    self.done = True

    def run(self):
        with self.process as process:
            while process.alive():
                self.read()
                self.most_tasks = max(self.most_tasks, len(support.unexplained(process.pid, self.mode.hubs or 1 << 20)))
                if self.is_stuck(process):
                    self.hung(process)
                    return self
                time.sleep(0.05)
            self.read()
            status = process.popen.returncode
            if not self.done:
                where = self.current or "outside a test"
                self.results[where] = Outcome("crash", f"status {status}\n{process.tail()}")
            elif status:
                self.results["at exit"] = Outcome("crash", f"status {status}\n{process.tail()}")
        return self

    def is_stuck(self, process):
        """Neither an event nor any processor time within the limit; what still computes is given ten times that."""
        now = time.monotonic()
        used = support.session_cpu_ticks(process.pid)
        if used != self.used:
            self.used, self.idle_since = used, now
        return now - max(self.since, self.idle_since) > self.limit or now - self.since > 10 * self.limit

    def hung(self, process):
        state = support.describe(process.pid)
        os.kill(process.pid, signal.SIGABRT)  # faulthandler prints where python is
        end = time.monotonic() + 3
        while process.alive() and time.monotonic() < end:
            time.sleep(0.05)
        where = self.current or ("at exit" if self.done else "outside a test")
        self.results[where] = Outcome("hang", f"nothing happened for {self.limit} s\n{state}\n{process.tail()}",
                                      self.limit)


def run_module(mode, module, only=None, skip=(), limit=60.0):
    """All outcomes of a module; a test that hangs or crashes does not hide those after it."""
    results, most_tasks = {}, 0
    for _ in range(40):
        with support.workspace(module) as directory:
            plan = {"only": only, "skip": sorted(set(skip) | set(results)),
                    "resources": RESOURCES.get(module, [])}
            attempt = Attempt(mode, module, directory, plan, limit).run()
        results.update(attempt.results)
        most_tasks = max(most_tasks, attempt.most_tasks)
        if attempt.done or "outside a test" in attempt.results:
            return results, most_tasks
    raise Failure(f"{module} ({mode.name}) hung or crashed 40 times")


def listed(module, args):
    """The ids of a module's tests that are not to be run, from the patterns."""
    patterns = args.skip + [name for name, modes, _ in listed_tests() if modes == "never"]
    if args.short:
        with open(LONG, encoding="utf-8") as text:
            patterns += [line.strip() for line in text if line.strip() and line[0] != "#"]
    if not patterns and not args.match:
        return []
    child = os.path.join(support.HERE, "cpython_child.py")
    out = subprocess.run([support.PYTHON, child, "--list", module], stdout=subprocess.PIPE,
                         check=True, text=True).stdout.split()
    skip = [name for name in out if any(fnmatch.fnmatchcase(name, p) for p in patterns)]
    if args.match:
        skip += [name for name in out if not any(fnmatch.fnmatchcase(name, p) for p in args.match)]
    return skip


def listed_tests():
    """(id, modes, reason) of the lines `ID [MODES|unsteady|never] # REASON`."""
    with open(EXPECTED, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            rule, _, reason = line.partition("#")
            words = rule.split()
            if not words:
                continue
            check(reason.strip(), f"{EXPECTED}:{number}: no reason")
            yield words[0], words[1] if len(words) > 1 else "all", reason.strip()


def expected_failures(mode):
    return {name: reason for name, modes, reason in listed_tests() if modes == "all" or mode.name in modes.split(",")}


def show(mode, name, outcome):
    print(f"  {mode.name} {outcome.outcome}: {name} ({outcome.seconds} s)")
    for line in outcome.detail.splitlines()[-60:]:
        print(f"    | {line}")
    sys.stdout.flush()


def passes(mode, module, name, limit):
    results, _ = run_module(mode, module, only=[name], limit=limit)
    return name in results and results[name].good() and "at exit" not in results


def is_unsteady_natively(module, name, limit):
    """Whether it ever fails natively, alone on a machine that is as busy as one that tests."""
    with support.busy_machine():
        return not all(passes(support.Mode(), module, name, limit) for _ in range(10))


def retry(mode, module, bad, limit):
    """Runs those that failed again, alone; returns the ones that are Weft's fault."""
    unsteady = [name for name, modes, _ in listed_tests() if modes == "unsteady"]
    still = {}
    for name, outcome in bad.items():
        if outcome.outcome in ("crash", "hang"):
            still[name] = outcome
        elif not (passes(mode, module, name, limit) or passes(mode, module, name, limit)):
            still[name] = outcome
        elif name in unsteady or is_unsteady_natively(module, name, limit):
            print(f"  {mode.name} unsteady: {name} (first {outcome.outcome})")
            for line in outcome.detail.splitlines()[-30:]:
                print(f"    | {line}")
        else:
            still[name] = Outcome("unsteady", outcome.detail, outcome.seconds)
    return still


def complaints_about(mode, module, results, native, args):
    """What is wrong with a preloaded run; `native` is a cache of native outcomes."""
    expected = {name: reason for name, reason in expected_failures(mode).items()
                if name.split(".")[1] == module}
    complaints = [f"{mode.name}: {name} passes, but stands in expected_failures.txt"
                  for name in expected if name in results and results[name].good()]
    bad = {name: outcome for name, outcome in results.items()
           if not outcome.good() and name not in expected}
    if args.retry:
        alone = {name: outcome for name, outcome in bad.items() if name.startswith("test.")}
        kept = retry(mode, module, alone, args.limit)
        bad = {name: kept.get(name, outcome) for name, outcome in bad.items() if name in kept or name not in alone}
    skipped = [name for name, outcome in results.items() if outcome.outcome == "skip"]
    unknown = [name for name in skipped + list(bad)
               if name not in native and name.startswith("test.")]
    if unknown:
        native.update(run_module(support.Mode(), module, only=unknown, limit=args.limit)[0])
    for name, outcome in bad.items():
        if name in native and not native[name].good():
            print(f"  {mode.name} {outcome.outcome}, as natively: {name}")
            continue
        show(mode, name, outcome)
        complaints.append(f"{mode.name} {outcome.outcome}: {name}")
    complaints += [f"{mode.name}: {name} was skipped: {results[name].detail}" for name in skipped
                   if name in native and native[name].outcome in ("ok", "xfail")]
    return complaints


def tally(results):
    counts = {}
    for outcome in results.values():
        counts[outcome.outcome] = counts.get(outcome.outcome, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def test_module(module, args):
    complaints, native = [], {}
    skip = listed(module, args)
    for mode in args.modes:
        if not mode.hubs and args.weft and not args.whole_native:
            continue  # what fails or is skipped under Weft is run natively then
        start = time.monotonic()
        results, tasks = run_module(mode, module, skip=skip, limit=args.limit)
        print(f"{module} {mode.name}: {tally(results)}; at most {tasks} OS threads, "
              f"{time.monotonic() - start:.1f} s", flush=True)
        if mode.hubs:
            complaints += complaints_about(mode, module, results, native, args)
            if tasks > mode.hubs:
                complaints.append(f"{mode.name}: {module} had {tasks} OS threads")
            continue
        native = results
        for name, outcome in results.items():
            if not outcome.good():
                print(f"  natively {outcome.outcome}: {name}")
    return complaints


def main():
    def extra(parser):
        parser.add_argument("modules", nargs="+")
        parser.add_argument("--short", action="store_true", help="leave the long tests out")
        parser.add_argument("--limit", type=float, default=60, help="seconds for one test")
        parser.add_argument("--skip", action="append", default=[], help="leave out, by pattern")
        parser.add_argument("--match", action="append", default=[], help="only these, by pattern")
        parser.add_argument("--no-retry", dest="retry", action="store_false")
        parser.add_argument("--whole-native", action="store_true",
                            help="run everything natively too, not only what fails or is skipped")

    args = support.parse(__doc__.splitlines()[0], extra)
    support.need("libpython3.11-testsuite", "/usr/lib/python3.11/test/test_threading.py")
    complaints = []
    for module in args.modules:
        complaints += test_module(module, args)
    if complaints:
        raise Failure(f"{len(complaints)} complaint(s):\n" + "\n".join(complaints))


if __name__ == "__main__":
    support.main(main)
