# SPDX-License-Identifier: MIT
"""Runs one of CPython's own test modules and writes every outcome to a log, one JSON line each.

    python3 cpython_child.py MODULE LOG [PLAN]

A line is written when a test starts and when it ends, so the caller knows which test hung or took
the process down. PLAN is a JSON file: {"only": [ids] or null, "skip": [ids], "resources": [names]}.
The log is opened for each line: some of these tests close every descriptor they find.
"""

import faulthandler
import json
import os
import sys
import time
import unittest


class Recorder(unittest.TestResult):
    def __init__(self, log):
        super().__init__()
        self.log = log
        self.pid = os.getpid()
        self.outcome = None
        self.detail = ""
        self.started = 0.0

    def write(self, **line):
        if os.getpid() != self.pid:  # a child that a test forked, unwinding into our frames
            return
        with open(self.log, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")

    def startTest(self, test):
        super().startTest(test)
        self.outcome, self.detail = "ok", ""
        self.started = time.monotonic()
        self.write(event="start", id=test.id())

    def stopTest(self, test):
        super().stopTest(test)
        self.write(event="end", id=test.id(), outcome=self.outcome, detail=self.detail,
                   seconds=round(time.monotonic() - self.started, 3))

    def _set(self, test, outcome, detail):
        if isinstance(test, unittest.suite._ErrorHolder):  # setUpClass and its kin start no test
            self.write(event="end", id=test.id(), outcome=outcome, detail=detail, seconds=0)
            return
        if self.outcome not in ("fail", "error"):
            self.outcome = outcome
        self.detail += detail

    def addError(self, test, err):
        super().addError(test, err)
        self._set(test, "error", self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._set(test, "fail", self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcome = "fail" if issubclass(err[0], test.failureException) else "error"
            self._set(test, outcome, f"{subtest}: {self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._set(test, "skip", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._set(test, "xfail", "")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._set(test, "fail", "unexpected success")


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def list_tests(module):
    for test in flatten(unittest.defaultTestLoader.loadTestsFromName("test." + module)):
        print(test.id())


def main():
    if sys.argv[1] == "--list":
        list_tests(sys.argv[2])
        return
    module, log = sys.argv[1:3]
    plan = {"only": None, "skip": [], "resources": []}
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="utf-8") as text:
            plan.update(json.load(text))
    faulthandler.enable()

    from test import support
    from test.support import os_helper
    support.use_resources = plan["resources"]
    support.PGO = False
    support.verbose = 0

    only, skip = plan["only"], set(plan["skip"])
    recorder = Recorder(os.path.abspath(log))
    with os_helper.temp_cwd(name=f"weft_{module}_{os.getpid()}"):
        try:
            suite = unittest.defaultTestLoader.loadTestsFromName("test." + module)
        except unittest.SkipTest as skipped:
            recorder.write(event="end", id=module, outcome="skip", detail=str(skipped), seconds=0)
            recorder.write(event="done")
            return
        chosen = [test for test in flatten(suite)
                  if test.id() not in skip and (only is None or test.id() in only)]
        recorder.write(event="plan", tests=[test.id() for test in chosen])
        unittest.TestSuite(chosen).run(recorder)
        support.reap_children()
    recorder.write(event="done")


if __name__ == "__main__":
    main()
