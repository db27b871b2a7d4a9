#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads every translation unit and every public header with clang, whose warnings are errors. Nothing is generated, so it
takes half of a build's time.

    check_clang.py CLANGXX BUILD_DIR
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
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
    build = pathlib.Path(build).resolve()
    jobs = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.suffix in (".c", ".cpp") and path.is_relative_to(ROOT) and not path.is_relative_to(build):
            language = ["-x", "c" if path.suffix == ".c" else "c++"]
            jobs[path] = (entry["directory"], [*flags_of(entry["command"]), *language])
    for path in (ROOT / "include").rglob("*.h*"):
        language = ["-x", "c"] if path.suffix == ".h" else ["-x", "c++", "-std=c++20"]
        jobs[path] = (ROOT, ["-Iinclude", "-Wall", "-Wextra", "-Wshadow", "-Wno-pragma-once-outside-header", *language])

    def check(path):
        folder, flags = jobs[path]
        return subprocess.run([clang, *flags, "-Werror", "-Wno-unknown-warning-option", "-fsyntax-only", path], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, run in zip(jobs, pool.map(check, jobs)):
            if run.returncode != 0:
                failed += 1
                print(f"{path.relative_to(ROOT)}:\n{run.stdout}")
    print(f"{len(jobs)} files, {failed} with faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
