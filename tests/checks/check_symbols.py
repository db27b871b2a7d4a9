#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds what a shared library of ours exports, imports and needs to the lists in tests/checks/symbols/.

    check_symbols.py NAME LIBRARY [--write] [OBJECT...]   check lib NAME.so against NAME.exports, NAME.imports, NAME.needed
                                                          --write: write the list of exports anew

Exports are equal to the list, but for the inner layers of libweft.so (weft::base::... and so on), which are no interface and
only have to lie in their namespaces. Imports and needed libraries must match a line of theirs (a shell pattern, no symbol
version). Those two are kept by hand, with the reason for each group.

With OBJECTs (libweft.so's) the imports are those of the inner layers alone, which a hook or a hub can reach: the layers above
may allocate, and the libev in the same file refers to much that nobody calls.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

LISTS = pathlib.Path(__file__).resolve().parent / "symbols"
# "typeinfo for weft::core::hub", "weft::fd::table::get(int)"
INNER = re.compile(r"^([a-z ]+ for )?weft::(base|context|loop|core|fd|io|tasks|ares|tls)::")
INNER_OBJECT = re.compile(r"/(base|context|loop|core|fd)/[^/]+\.o$")
OURS = re.compile(r"^([a-z ]+ for )?weft::|^weft_[a-z0-9_]+$")


def lines_of(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout.splitlines()


def exports(library):
    """nm prints address, type and demangled name, the name with its version if there is one."""
    lines = lines_of("nm", "-DC", "--defined-only", library)
    names = {re.sub(r"@@?[\w.]+$", "", line.split(" ", 2)[2]) for line in lines}
    return {name for name in names if not INNER.match(name)}


def imports_of_objects(objects):
    def names(option, files):
        lines = lines_of("nm", "-P", option, *files) if files else []
        return {words[0] for words in map(str.split, lines) if len(words) > 1}

    inner = [path for path in objects if INNER_OBJECT.search(path)]
    ours = re.compile(r"_Z(GV|T[VTISHW])?N?K?4weft|weft_")
    return {name for name in names("-u", inner) - names("--defined-only", objects) if not ours.match(name)}


def imports(library):
    return {re.sub(r"@.*", "", line.split()[0]) for line in lines_of("nm", "-DP", "--undefined-only", library)}


def needed(library):
    found = (re.search(r"\(NEEDED\).*\[(.*)\]", line) for line in lines_of("readelf", "-d", library))
    return {match[1] for match in found if match}


def read_list(path):
    return {line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")}


def heading(path):
    """The comment that opens a list: it is kept when the list is written anew."""
    old = path.read_text().splitlines(keepends=True) if path.exists() else []
    return "".join(line for line in old if line.startswith("#"))


def main(name, library, *rest):
    write, objects = "--write" in rest, [path for word in rest if word != "--write" for path in word.split(";")]
    imported = imports_of_objects(objects) if objects else imports(library)
    parts = {"exports": exports(library), "imports": imported, "needed": needed(library)}
    faults = [f"{name} exports {symbol}" for symbol in sorted(parts["exports"]) if not OURS.match(symbol)]
    for kind, found in parts.items():
        path = LISTS / f"{name}.{kind}"
        if kind == "exports":
            if write:
                path.write_text(heading(path) + "".join(f"{symbol}\n" for symbol in sorted(found)))
            listed = read_list(path)
            faults += [f"{name} {kind}: {symbol} of {path.name} is gone" for symbol in sorted(listed - found)]
            new = found - listed
        else:
            patterns = read_list(path)
            new = {symbol for symbol in found if not any(fnmatch.fnmatchcase(symbol, p) for p in patterns)}
        faults += [f"{name} {kind}: {symbol} is not in {path.name}" for symbol in sorted(new)]
    print("\n".join(faults) if faults else "ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
