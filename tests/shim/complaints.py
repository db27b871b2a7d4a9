#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A variable that means nothing is complained of by the first process, and by none of those that it starts.

    complaints.py SHIM
"""
import os
import re
import subprocess
import sys


def main(shim):
    environment = dict(os.environ, LD_PRELOAD=shim, WEFT_HUBS="many", WEFT_PATCH="sockets", WEFT_LOG="/nowhere/log")
    # Neither of the two shells is replaced by what it runs.
    script = "sh -c 'env; :'; :"
    run = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, timeout=240, check=True)
    wanted = [r"weft\[\d+\]: cannot open the log /nowhere/log .*", r"weft\[\d+\]: WEFT_HUBS=many: not a number of hubs.*",
              r"weft\[\d+\]: WEFT_PATCH=sockets: no group is called 'sockets'.*"]
    lines = run.stderr.splitlines()
    if len(lines) != len(wanted) or not all(re.fullmatch(w, line) for w, line in zip(wanted, lines)):
        sys.exit("said:\n" + run.stderr)
    if "WEFT_" in run.stdout:
        sys.exit("inherited:\n" + run.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
