#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report of a program of busy threads counts what it must have done.

    report_counts.py WEFT PROGRAM
"""
import re
import subprocess
import sys
import tempfile


def main(weft, program):
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run([weft, "run", "--hubs", "1", f"--report={report.name}", "--", program], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        text = report.read()
    for name in ("threads made", "switches", "syscalls straight", "syscalls parked", "preemptions", "polls"):
        found = re.search(rf"^{name} +(\d+)", text, re.MULTILINE)
        if not found or int(found.group(1)) == 0:
            sys.exit(f"no {name} in:\n{text}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
