#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program that has to print what a file holds and to end with status 0.

    check_output.py FILE PROGRAM ARGS...
"""
import difflib
import pathlib
import subprocess
import sys


def main():
    expected, *words = sys.argv[1:]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=280, check=False)
    difference = list(difflib.unified_diff(pathlib.Path(expected).read_text().splitlines(), done.stdout.splitlines(),
                                           expected, "printed", lineterm=""))
    print("\n".join(difference) or done.stdout)
    if done.returncode != 0:
        print(f"it ended with status {done.returncode}")
    return 1 if difference or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
