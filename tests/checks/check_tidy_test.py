# SPDX-License-Identifier: MIT
"""Proves that cmake/check_tidy.py remembers what passed, whichever folders it was asked about in between."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ["lib/base/text.cpp", "lib/core/dump.cpp"]


class CheckTidy(unittest.TestCase):
    def setUp(self):
        build = tempfile.TemporaryDirectory()
        self.addCleanup(build.cleanup)
        self.build = pathlib.Path(build.name)
        commands = [{"directory": str(ROOT), "file": unit, "command": f"c++ -c {unit}"} for unit in UNITS]
        (self.build / "compile_commands.json").write_text(json.dumps(commands))

    def run_over(self, *folders, tidy="true"):
        command = [sys.executable, ROOT / "cmake/check_tidy.py", tidy, self.build, *folders]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()[-1]

    def test_what_passed_is_not_run_again(self):
        self.assertEqual(self.run_over("lib"), "2 units, 2 run, 0 with findings")
        self.assertEqual(self.run_over("lib"), "2 units, 0 run, 0 with findings")

    def test_a_folder_keeps_what_passed_in_the_others(self):
        self.run_over("lib/base")
        self.assertEqual(self.run_over("lib/core"), "1 units, 1 run, 0 with findings")
        self.assertEqual(self.run_over("lib"), "2 units, 0 run, 0 with findings")

    def test_findings_are_run_again(self):
        finds = self.build / "finds"
        finds.write_text('#!/bin/sh\n[ "$1" = --version ]\n')
        finds.chmod(0o755)
        for _ in range(2):
            self.assertEqual(self.run_over("lib", tidy=finds), "2 units, 2 run, 2 with findings")


if __name__ == "__main__":
    unittest.main()
