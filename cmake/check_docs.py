#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the pages to the tree: the C++ program in README.md is examples/hello.cpp, links to files lead somewhere, docs/guide.md
names nothing that the public headers do not have and every name of gevent_names.txt, CONTRIBUTING.md says where each header is tested,
and the code in docs/tutorial.md and what it prints stand in
examples/.

    check_docs.py            check
    check_docs.py --write    copy the code into docs/tutorial.md
"""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent


def readme_program():
    program = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = (ROOT / "examples/hello.cpp").read_text().split("\n", 1)[1]
    if program is None or program[1] != example:
        yield "README.md: its program is not examples/hello.cpp without the licence line"


def links():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            if "://" not in link and not (page.parent / link).exists():
                yield f"{page.relative_to(ROOT)}: there is no {link}"


def guide_names():
    """The names in the columns *Weft* and the headers in brackets."""
    headers = ROOT / "include/weft"
    code = re.sub(r"//[^\n]*", "", "\n".join(path.read_text() for path in headers.rglob("*.hpp")))
    known = set(re.findall(r"\w+", code))
    for number, line in enumerate((ROOT / "docs/guide.md").read_text().splitlines(), 1):
        cells = line.split("|")
        if len(cells) != 5:
            continue
        for name in re.findall(r"`([^`]+)`", cells[2]):
            if not set(name.split("::")) <= known:
                yield f"docs/guide.md:{number}: no public header has {name}"
        for name in re.findall(r"\[(\w+\.hpp)\]", line):
            if not (headers / name).exists():
                yield f"docs/guide.md:{number}: there is no {name}"


def gevent_names():
    """Each name in gevent_names.txt stands, as one of its owner's, in the first column of a table of that part.

    What stands there behind `owner.name` or `{owner,other}.name` belongs to the same owners, and to that name if it is a class or a
    module: in "`event.Event`, `wait`" both are. In the section `gevent` the module itself needs no naming.
    """
    wanted = {}
    for line in (ROOT / "cmake/gevent_names.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            label, line = line.split(":", 1)
            owner = label.split(" (")[0].split(".")[-1]
        wanted.setdefault(owner, []).extend(line.split())
    part = (ROOT / "docs/guide.md").read_text().split("\n## From gevent\n")[1].split("\n## ")[0]
    held = set()
    section = ""
    for line in part.splitlines():
        if line.startswith("### "):
            section = line
        cells = line.split("|")
        if len(cells) != 5:
            continue
        owners = {"gevent"} if section == "### `gevent`" else set()
        for entry in re.findall(r"`([^`]+)`", cells[1]):
            found = re.fullmatch(r"(?:(?:\w+\.)*(\w+|{[\w,]+})\.)?(\w+)=?(?:\(.*\))?", entry)
            if not found:
                continue
            if found[1]:
                owners = set(found[1].strip("{}").split(","))
            held.update((owner, found[2]) for owner in owners)
            if found[2] in wanted:
                owners = owners | {found[2]}
    for owner, names in wanted.items():
        for name in names:
            if (owner, name) not in held:
                yield f"docs/guide.md: no row for {owner}.{name} (cmake/gevent_names.txt)"


def header_tests():
    """Each public header has a test of its name, or stands in the table of CONTRIBUTING.md with those that it has."""
    table = {}
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines():
        cells = line.split("|")
        if len(cells) != 4 or ".hpp`" not in cells[1]:
            continue
        table.update(dict.fromkeys(re.findall(r"`(\w+\.h(?:pp)?)`", cells[1])))
        for path in re.findall(r"`(\w+/\w+\.\w+)`", cells[2]):
            if not (ROOT / "tests" / path).exists():
                yield f"CONTRIBUTING.md: there is no tests/{path}"
    tests = {path.stem for path in (ROOT / "tests").glob("*/*_test.*")}
    for header in sorted((ROOT / "include/weft").glob("*.h*")):
        if f"{header.stem}_test" not in tests and header.name not in table:
            yield f"CONTRIBUTING.md: {header.name} has no test of its name, and no row says which one it has"


def region(source, name):
    """The lines between `// [name]` and `// [end name]`."""
    found = re.search(rf"^ *// \[{name}\]\n(.*?)^ *// \[end {name}\]\n", source.read_text(), re.DOTALL | re.MULTILINE)
    return textwrap.dedent(found[1]) if found else None


def tutorial(write):
    """Each block stands behind a comment that names its file below examples, and of code the region."""
    page = ROOT / "docs/tutorial.md"
    faults = []

    def replace(block):
        _, path, name, kind, shown = block.groups()
        source = ROOT / "examples" / path
        there = None
        if source.exists():
            there = region(source, name) if name else source.read_text()
        if there is None:
            faults.append(f"docs/tutorial.md: there is no {path} {name or ''}")
        elif there != shown and not write:
            faults.append(f"docs/tutorial.md: not as in {path} {name or ''}: run cmake/check_docs.py --write")
        return f"{block[1]}```{kind}\n{there}```\n" if there and write else block[0]

    text = page.read_text()
    new, blocks = re.subn(r"(<!-- (\S+)(?: (\w+))? -->\n)```(cpp|text)\n(.*?)```\n", replace, text, flags=re.DOTALL)
    if blocks != len(re.findall(r"^```(?:cpp|text)$", text, re.MULTILINE)):
        faults.append("docs/tutorial.md: a block does not say where it stands")
    if write:
        page.write_text(new)
    return faults


def main():
    faults = [*readme_program(), *links(), *guide_names(), *gevent_names(), *header_tests(), *tutorial("--write" in sys.argv[1:])]
    print("\n".join(faults) or "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
