#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads the translation units of some folders and every public header with clang, whose warnings are errors. Nothing is generated.

    check_clang.py CLANGXX BUILD_DIR FOLDER...
"""

import re
import shlex
import subprocess
import sys
import tempfile

import check_units
from check_units import ROOT

# What is clang's own affair, or would write something; a flag with the number of words behind it.
DROPPED = {"-c": 0, "-o": 1, "-MD": 0, "-MMD": 0, "-MT": 1, "-MF": 1, "-MQ": 1}
# What takes longer to read than the example that includes it. It is read once for all whose flags are the same.
SHARED = "weft/weft.hpp"


def flags_of(entry):
    """The flags of a compiler's command that tell how to read; the compiler, its launcher and the source are no flags."""
    words = iter(shlex.split(check_units.without_precompiled(entry["command"]))[1:])
    for word in words:
        if word in DROPPED:
            for _ in range(DROPPED[word]):
                next(words)
        elif word.startswith("-"):
            yield word
            if word in ("-isystem", "-I", "-D", "-x", "-include"):
                yield next(words)


class precompiled:
    """SHARED as clang has read it, in a folder that goes with the check."""

    def __init__(self, clang, folder):
        self.clang = clang
        self.folder = folder
        self.read = {}

    def flags_for(self, path, flags):
        if f"#include <{SHARED}>" not in path.read_text():
            return []
        key = tuple(flag for flag in flags if re.match("-[fmDO]|-std", flag))
        if key not in self.read:
            self.read[key] = self.precompile(flags)
        return ["-include-pch", self.read[key]]

    def precompile(self, flags):
        name = f"{self.folder}/{len(self.read)}"
        with open(f"{name}.hpp", "w") as file:
            file.write(f"#include <{SHARED}>\n")
        command = [self.clang, *flags, "-Werror", "-Wno-unknown-warning-option", "-Wno-pragma-once-outside-header"]
        subprocess.run([*command, "-x", "c++-header", f"{name}.hpp", "-o", f"{name}.pch"], check=True)
        return f"{name}.pch"


def main(clang, build, folders, scratch):
    shared = precompiled(clang, scratch)
    jobs = {}
    read_first = set()
    for path, entry in check_units.of_build(build, folders).items():
        flags = [f"-working-directory={entry['directory']}", *flags_of(entry)]
        language = ["-x", "c" if path.suffix == ".c" else "c++"]
        jobs[path] = [*flags, *shared.flags_for(path, flags), *language]
        if path.is_relative_to(ROOT / "lib"):
            first = re.search(r'^#include "(weft/.*)"$', path.read_text().partition("\n\n")[0], re.MULTILINE)
            read_first.update([ROOT / "include" / first[1]] if first else [])
    # A header that a source begins with is read by itself there.
    for path in set((ROOT / "include").rglob("*.h*")) - read_first:
        language = ["-x", "c"] if path.suffix == ".h" else ["-x", "c++", "-std=c++20"]
        jobs[path] = [f"-I{ROOT / 'include'}", "-Wall", "-Wextra", "-Wshadow", "-Wno-pragma-once-outside-header", *language]

    def command(path):
        return [clang, *jobs[path], "-Werror", "-Wno-unknown-warning-option", "-fsyntax-only", path]

    failed = sum(not passed for _, passed in check_units.verdicts(jobs, command, stderr=subprocess.STDOUT))
    print(f"{len(jobs)} files, {failed} with faults")
    return 1 if failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:], scratch))
