#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the translation units of some folders.

    check_tidy.py CLANG_TIDY BUILD_DIR FOLDER...

A unit that passed leaves a stamp in BUILD_DIR/tidy under the hash of all that its answer depends on, and is not run
again until one of those changes.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()


def main(tidy, build, folders):
    build = pathlib.Path(build)
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    headers = [
        path.read_bytes()
        for folder in ("include", "lib", "shim", "tests", "examples", "bench")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".hpp", ".h", ".inc")
    ]
    version = subprocess.run([tidy, "--version"], capture_output=True, check=True).stdout
    shared = digest(version, (ROOT / ".clang-tidy").read_bytes(), *headers)

    units = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        inside = any(path.is_relative_to(ROOT / folder) for folder in folders)
        if inside and path.suffix == ".cpp" and not path.is_relative_to(build.resolve()):
            units[path] = stamps / digest(shared, entry["command"], path.read_bytes())

    def check(path):
        command = [tidy, "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option", path]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    todo = [path for path, stamp in units.items() if not stamp.exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, run in zip(todo, pool.map(check, todo)):
            if run.returncode == 0:
                units[path].touch()
            else:
                failed += 1
                print(f"{path.relative_to(ROOT)}:\n{run.stdout}")
    for stamp in set(stamps.iterdir()) - set(units.values()):
        stamp.unlink()
    print(f"{len(units)} units, {len(todo)} run, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
