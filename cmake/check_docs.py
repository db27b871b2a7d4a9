#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the pages to the tree: the C++ program in README.md is examples/hello.cpp, links to files lead somewhere, and
docs/guide.md names nothing that the public headers do not have."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def readme_program():
    program = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = (ROOT / "examples/hello.cpp").read_text().split("\n", 1)[1]
    if program is None or program[1] != example:
        yield "README.md: its program is not examples/hello.cpp without the licence line"


def links():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in link and not (page.parent / link).exists():
                yield f"{page.relative_to(ROOT)}: there is no {link}"


def guide_names():
    """The names in the columns *Weft* and the headers in brackets."""
    headers = {path.name: path.read_text() for path in (ROOT / "include/weft").glob("*.hpp")}
    code = re.sub(r"//[^\n]*", "", "\n".join(headers.values()))
    known = set(re.findall(r"\w+", code))
    for number, line in enumerate((ROOT / "docs/guide.md").read_text().splitlines(), 1):
        cells = line.split("|")
        if len(cells) != 5:
            continue
        for name in re.findall(r"`([^`]+)`", cells[2]):
            if not set(name.split("::")) <= known:
                yield f"docs/guide.md:{number}: no public header has {name}"
        for name in re.findall(r"\[(\w+\.hpp)\]", line):
            if name not in headers:
                yield f"docs/guide.md:{number}: there is no {name}"


def main():
    faults = [*readme_program(), *links(), *guide_names()]
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
