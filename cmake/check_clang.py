#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads every translation unit and every public header with clang, whose warnings are errors. Nothing is generated, so it
takes half of a build's time.

    check_clang.py CLANGXX BUILD_DIR
"""

import shlex
import subprocess
import sys

import check_units
from check_units import ROOT

# What is clang's own affair, or would write something; a flag with the number of words behind it.
DROPPED = {"-c": 0, "-o": 1, "-MD": 0, "-MMD": 0, "-MT": 1, "-MF": 1, "-MQ": 1, "-Winvalid-pch": 0}


def flags_of(command):
    """The flags of a compiler's command that tell how to read; the compiler, its launcher and the source are no flags."""
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word in DROPPED:
            for _ in range(DROPPED[word]):
                next(words)
        elif word == "-include":
            header = next(words)
            if "cmake_pch" not in header:
                yield from (word, header)
        elif word.startswith("-"):
            yield word
            if word in ("-isystem", "-I", "-D", "-x"):
                yield next(words)


def main(clang, build):
    jobs = {}
    for path, entry in check_units.of_build(build).items():
        language = ["-x", "c" if path.suffix == ".c" else "c++"]
        jobs[path] = [f"-working-directory={entry['directory']}", *flags_of(entry["command"]), *language]
    for path in (ROOT / "include").rglob("*.h*"):
        language = ["-x", "c"] if path.suffix == ".h" else ["-x", "c++", "-std=c++20"]
        jobs[path] = [f"-I{ROOT / 'include'}", "-Wall", "-Wextra", "-Wshadow", "-Wno-pragma-once-outside-header", *language]

    def command(path):
        return [clang, *jobs[path], "-Werror", "-Wno-unknown-warning-option", "-fsyntax-only", path]

    failed = sum(not passed for _, passed in check_units.verdicts(jobs, command, stderr=subprocess.STDOUT))
    print(f"{len(jobs)} files, {failed} with faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
