#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the pages to the tree: the C++ program in README.md is examples/hello.cpp, and links to files lead somewhere."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    faults = []
    program = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = (ROOT / "examples/hello.cpp").read_text().split("\n", 1)[1]
    if program is None or program[1] != example:
        faults.append("README.md: its program is not examples/hello.cpp without the licence line")
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in link and not (page.parent / link).exists():
                faults.append(f"{page.relative_to(ROOT)}: there is no {link}")
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
