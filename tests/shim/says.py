#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Weft says of a program that runs under it: in its report, and on standard error.

    says.py WEFT PROGRAM [ARGUMENT...] -- PATTERN...     each pattern is found at the beginning of a line
"""
import re
import resource
import subprocess
import sys
import tempfile


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(weft, *rest):
    program, patterns = rest[:rest.index("--")], rest[rest.index("--") + 1:]
    with tempfile.NamedTemporaryFile("r") as report:
        run = subprocess.run([weft, "run", "--hubs", "1", f"--report={report.name}", "--", *program], timeout=240,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=no_core)
        text = run.stderr + report.read()
    for pattern in patterns:
        if not re.search("^" + pattern, text, re.MULTILINE):
            sys.exit(f"no {pattern} in:\n{text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
