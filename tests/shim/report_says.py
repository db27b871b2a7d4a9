#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report of a program that ran under Weft has certain lines.

    report_says.py WEFT PROGRAM [ARGUMENT...] -- PATTERN...     each pattern is found at the beginning of a line
"""
import re
import subprocess
import sys
import tempfile


def main(weft, *rest):
    program, patterns = rest[:rest.index("--")], rest[rest.index("--") + 1:]
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run([weft, "run", "--hubs", "1", f"--report={report.name}", "--", *program], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        text = report.read()
    for pattern in patterns:
        if not re.search("^" + pattern, text, re.MULTILINE):
            sys.exit(f"no {pattern} in:\n{text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
