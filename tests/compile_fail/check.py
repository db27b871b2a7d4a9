#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds mistakes to be errors of the compiler.

    check.py FILE COMPILER [FLAG...]

FILE has its mistakes, each on one line, inside `#ifdef MISTAKES`:

    weft::mutex copy = m;  // error: deleted

Without that macro FILE compiles. With it the compiler names every one of these lines, and an error that matches the pattern.
Results that are dropped though they may not be (`[[nodiscard]]`) count as errors.
"""

import os
import re
import subprocess
import sys

MISTAKE = re.compile(r"// error: (.+)$")


def main(path, *command):
    with open(path, encoding="utf-8") as file:
        found = ((number, MISTAKE.search(line)) for number, line in enumerate(file, 1))
        mistakes = [(number, match[1]) for number, match in found if match]

    no_limit = "-ferror-limit=0" if "clang" in command[0] else "-fmax-errors=0"

    def errors_of(*flags):
        words = [*command, "-fsyntax-only", no_limit, "-Werror=unused-result", *flags, path]
        # The patterns are in English.
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        return done.stderr if done.returncode != 0 else None

    faults = []
    right = errors_of()
    if right is not None:
        faults.append(f"{path} does not compile without its mistakes:\n{right}")
    wrong = errors_of("-DMISTAKES") or ""
    for number, pattern in mistakes:
        # An error inside a template names the line in a note.
        lines = [line for line in wrong.splitlines() if f"{path}:{number}:" in line]
        direct = [line for line in lines if "error:" in line]
        candidates = direct or ([line for line in wrong.splitlines() if "error:" in line] if lines else [])
        if not any(re.search(pattern, line) for line in candidates):
            faults.append(f"{path}:{number}: no error matches '{pattern}'" + "".join("\n  " + line for line in lines))
    if not mistakes:
        faults.append(f"{path} has no mistakes")
    print("\n".join(faults) if faults else f"{len(mistakes)} mistakes do not compile")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
