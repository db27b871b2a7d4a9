#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the sources to cmake/layers.txt. Prints each fault as file:line: text; exit status 1 if there is one.

    check_layers.py [--root DIR]            check
    check_layers.py [--root DIR] --write    bring the table in docs/architecture.md up to date
"""

import argparse
import pathlib
import re
import sys

WARN_LINES, MAX_LINES = 400, 500
FOLDERS = ("include", "lib", "shim", "tests", "examples", "bench")
SOURCES = (".hpp", ".h", ".cpp", ".c", ".S", ".inc")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The instruction in assembler text, and libc's function, whose own instruction the shim patches.
SYSCALL = re.compile(r'"[^"]*\bsyscall\b\s*(\\n|;|")|(?<![\w:])::syscall\s*\(')
SYSCALL_ASM = re.compile(r"^[^#/]*\bsyscall\b\s*($|;|#|/)")
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b")
BEGIN, END = "<!-- layers: begin -->", "<!-- layers: end -->"


class Rules:
    def __init__(self, text):
        self.folder, self.may, self.public, self.doors, self.syscall, self.long = {}, {}, {}, {}, [], {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            kind, rest = words[0], words[1:]
            if kind == "layer" and len(rest) >= 3 and rest[2] == ":":
                unknown = set(rest[3:]) - set(self.folder)
                if unknown:
                    raise SystemExit(f"layers.txt:{number}: not a layer above: {' '.join(sorted(unknown))}")
                self.folder[rest[0]] = rest[1]
                self.may[rest[0]] = rest[3:]
            elif kind == "public" and len(rest) == 2 and rest[1] in self.folder:
                self.public[rest[0]] = rest[1]
            elif kind == "door" and len(rest) >= 2:
                self.doors[rest[0]] = rest[1:]
            elif kind == "syscall" and rest:
                self.syscall += rest
            elif kind == "long" and len(rest) >= 3 and rest[1] == ":":
                self.long[rest[0]] = " ".join(rest[2:])
            else:
                raise SystemExit(f"layers.txt:{number}: not understood: {line.strip()}")

    def layer_of(self, path):
        """The layer of a file, None for a file above all layers (tests, examples, benches)."""
        if path.startswith("include/"):
            return self.public.get(path.removeprefix("include/"))
        for name, folder in self.folder.items():
            if path.startswith(folder + "/"):
                return name
        return None

    def table(self):
        rows = ["| layer | folder | may include | public headers |", "|---|---|---|---|"]
        for name, folder in self.folder.items():
            headers = " ".join(f"`{h.removeprefix('weft/')}`" for h, layer in sorted(self.public.items()) if layer == name)
            rows.append(f"| {name} | `{folder}` | {' '.join(self.may[name]) or 'libc, std'} | {headers} |")
        return "\n".join(rows)


class Checker:
    def __init__(self, root):
        self.root = root
        self.rules = Rules((root / "cmake/layers.txt").read_text())
        self.faults, self.warnings = [], []
        self.files = sorted(
            path.relative_to(root).as_posix()
            for folder in FOLDERS
            for path in (root / folder).rglob("*")
            if path.is_file() and path.suffix in SOURCES
        )
        self.known = set(self.files)
        self.edges = {}

    def fault(self, path, line, text):
        self.faults.append(f"{path}:{line}: {text}")

    def resolve(self, path, name):
        """The file of the project that an include names, or None. One spelling: from include/, lib/ or the root."""
        for prefix in ("include/", "lib/", ""):
            if prefix + name in self.known:
                return prefix + name
        beside = (pathlib.PurePosixPath(path).parent / name).as_posix()
        return beside if beside in self.known else None

    def own_header(self, path):
        stem = pathlib.PurePosixPath(path)
        if stem.suffix != ".cpp" or not path.startswith(("lib/", "shim/")):
            return None
        beside = stem.with_suffix(".hpp").as_posix()
        if beside in self.known:
            return beside
        public = f"include/weft/{stem.stem}.hpp"
        layer = self.rules.layer_of(path)
        return public if public in self.known and self.rules.layer_of(public) == layer else None

    def check_include(self, path, line, name, target, quoted):
        for header, folders in self.rules.doors.items():
            if name == header and path.startswith(("include/", "lib/", "shim/")):
                if path not in folders and not path.startswith(tuple(f + "/" for f in folders)):
                    self.fault(path, line, f"<{header}> belongs to {' '.join(folders)} alone")
        if target is None:
            if quoted and path.startswith(("include/", "lib/", "shim/")) and not self.generated(path, name):
                self.fault(path, line, f'"{name}" is no file of the project (write <...> for a foreign header)')
            return
        self.edges.setdefault(path, []).append((line, target))
        public = path.startswith("include/")
        if public and not target.startswith("include/"):
            self.fault(path, line, f"a public header includes the private {target}")
        if path.startswith("examples/") and not target.startswith(("include/", "examples/")):
            self.fault(path, line, f"an example includes the private {target}")
        mine, theirs = self.rules.layer_of(path), self.rules.layer_of(target)
        if mine is None:
            if path.startswith(("lib/", "shim/")):
                self.fault(path, line, "the file is in no layer of cmake/layers.txt")
        elif theirs is None:
            self.fault(path, line, f"{target} is in no layer of cmake/layers.txt")
        elif theirs != mine and theirs not in self.rules.may[mine]:
            self.fault(path, line, f"{mine} may not include {theirs} ({target})")

    @staticmethod
    def generated(path, name):
        """Tables that the build makes are included by their bare name."""
        return "/" not in name and name.endswith(".inc")

    def check_file(self, path):
        text = (self.root / path).read_text()
        lines = text.splitlines()
        product = path.startswith(("include/", "lib/", "shim/"))
        if not lines or "SPDX-License-Identifier: MIT" not in lines[0]:
            self.fault(path, 1, "the first line is not the SPDX line")
        if path.startswith("include/weft/") and path.removeprefix("include/") not in self.rules.public:
            self.fault(path, 1, "the header has no `public` line in cmake/layers.txt")
        if len(lines) > MAX_LINES and path not in self.rules.long:
            self.fault(path, len(lines), f"{len(lines)} lines; more than {MAX_LINES} needs a reason in cmake/layers.txt")
        elif len(lines) > WARN_LINES and path not in self.rules.long:
            self.warnings.append(f"{path}: {len(lines)} lines; does it still have one job?")
        raw_allowed = path.startswith(tuple(f + "/" for f in self.rules.syscall))
        first = None
        for number, line in enumerate(lines, 1):
            found = INCLUDE.match(line)
            if found:
                target = self.resolve(path, found[2])
                first = first or (number, target)
                self.check_include(path, number, found[2], target, found[1] == '"')
            if product and MARKS.search(line):
                self.fault(path, number, "a mark of unfinished work")
            pattern = SYSCALL_ASM if path.endswith(".S") else SYSCALL
            if product and not raw_allowed and pattern.search(line):
                self.fault(path, number, f"a raw system call outside {' and '.join(self.rules.syscall)}")
        own = self.own_header(path)
        if own and (first is None or first[1] != own):
            self.fault(path, first[0] if first else 1, f"the first include is not its own header, {own}")

    def check_cycles(self):
        state = {}

        def visit(path):
            state[path] = "open"
            for line, target in self.edges.get(path, []):
                if state.get(target) == "open":
                    self.fault(path, line, f"includes {target}, which includes it in turn")
                elif target not in state:
                    visit(target)
            state[path] = "done"

        for path in self.files:
            if path not in state:
                visit(path)

    def check_lists(self):
        for header in self.rules.public:
            if "include/" + header not in self.known:
                self.fault("cmake/layers.txt", 1, f"there is no include/{header}")
        for path in self.rules.long:
            if path not in self.known:
                self.fault("cmake/layers.txt", 1, f"there is no {path}")
        for path in self.files:
            if not path.startswith(("lib/", "shim/")) or not path.endswith((".cpp", ".c", ".S")):
                continue
            folder = pathlib.PurePosixPath(path).parent
            names = []
            while folder.as_posix() != ".":
                listing = self.root / folder / "CMakeLists.txt"
                if listing.exists():
                    names += re.findall(r"[\w./-]+", listing.read_text())
                folder = folder.parent
            if pathlib.PurePosixPath(path).name not in {name.rsplit("/", 1)[-1] for name in names}:
                self.fault(path, 1, "no CMakeLists.txt lists it")

    def check_table(self):
        page = self.root / "docs/architecture.md"
        if not page.exists():
            return
        if with_table(page.read_text(), self.rules.table()) != page.read_text():
            self.fault("docs/architecture.md", 1, "its table of layers is old: run cmake/check_layers.py --write")

    def run(self):
        for path in self.files:
            self.check_file(path)
        self.check_cycles()
        self.check_lists()
        self.check_table()
        for warning in self.warnings:
            print("warning:", warning)
        for text in self.faults:
            print(text)
        print(f"{len(self.files)} files, {len(self.faults)} faults")
        return 1 if self.faults else 0


def with_table(page, table):
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        page = arguments.root / "docs/architecture.md"
        page.write_text(with_table(page.read_text(), Rules((arguments.root / "cmake/layers.txt").read_text()).table()))
        return 0
    return Checker(arguments.root).run()


if __name__ == "__main__":
    sys.exit(main())
