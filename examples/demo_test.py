#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs demo.sh as a reader of the README does: it has to end with status 0 and to print a row for each server. How long it took
is in its last line."""
import pathlib
import re
import subprocess
import sys

ROWS = ("thread_echo, OS threads", "thread_echo, weft run", "python3 ThreadingHTTPServer, OS threads",
        "python3 ThreadingHTTPServer, weft run")


def main():
    script = pathlib.Path(__file__).resolve().parent / "demo.sh"
    done = subprocess.run(["bash", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    missing = [row for row in ROWS if not re.search(rf"{re.escape(row)} .*[1-9][0-9.,]*.* ms .*MiB", done.stdout)]
    if missing:
        print(f"no row for: {missing}")
    if done.returncode != 0:
        print(f"it ended with status {done.returncode}")
    return 1 if missing or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
