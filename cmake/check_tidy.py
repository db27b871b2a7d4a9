#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the translation units of some folders.

    check_tidy.py CLANG_TIDY BUILD_DIR FOLDER...

A unit that passed leaves a stamp in BUILD_DIR/tidy under the hash of all that its answer depends on, and is not run
again until one of those changes.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import check_units
from check_units import ROOT


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()


def main(tidy, build, folders, commands):
    build = pathlib.Path(build)
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    read_by_many = [
        path.read_bytes()
        for folder in ("include", "lib", "shim", "tests", "examples", "bench")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".hpp", ".h", ".inc") or path.name == ".clang-tidy"
    ]
    version = subprocess.run([tidy, "--version"], capture_output=True, check=True).stdout
    shared = digest(version, (ROOT / ".clang-tidy").read_bytes(), *read_by_many)

    every = check_units.of_build(build, ["."], (".cpp",))
    stamp_of = {path: stamps / digest(shared, entry["command"], path.read_bytes()) for path, entry in every.items()}
    units = check_units.of_build(build, folders, (".cpp",))
    plain = [entry | {"command": check_units.without_precompiled(entry["command"])} for entry in units.values()]
    (pathlib.Path(commands) / "compile_commands.json").write_text(json.dumps(plain))
    todo = [path for path in units if not stamp_of[path].exists()]

    def command(path):
        return [tidy, "--quiet", "-p", commands, "--extra-arg=-Wno-unknown-warning-option", path]

    failed = 0
    for path, passed in check_units.verdicts(todo, command, stderr=subprocess.DEVNULL):
        if passed:
            stamp_of[path].touch()
        else:
            failed += 1
    for stamp in set(stamps.iterdir()) - set(stamp_of.values()):
        stamp.unlink()
    print(f"{len(units)} units, {len(todo)} run, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as commands:
        sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:], commands))
