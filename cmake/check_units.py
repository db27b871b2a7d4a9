# SPDX-License-Identifier: MIT
"""What check_clang.py and check_tidy.py share: the translation units of a build, and a program run over many files."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def of_build(build, folders, suffixes=(".c", ".cpp")):
    """What CMake has written of each source below ROOT/folder, by its path; not of those that the build has made."""
    build = pathlib.Path(build).resolve()
    units = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        inside = any(path.is_relative_to(ROOT / folder) for folder in folders)
        if inside and path.suffix in suffixes and not path.is_relative_to(build):
            units[path] = entry
    return units


def without_precompiled(command):
    """The command without the header that CMake has precompiled for another compiler."""
    return re.sub(r" -Winvalid-pch -include \S*/cmake_pch\.hxx", "", command)


def verdicts(paths, command_of, **options):
    """Runs command_of(path) for each path, as many at once as there are CPUs, and prints what those say that fail. Yields each
    path as soon as those before it are done, and whether it passed. The options are those of subprocess.run."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(lambda path: subprocess.run(command_of(path), stdout=subprocess.PIPE, text=True, **options), paths)
        for path, run in zip(paths, runs):
            if run.returncode != 0:
                print(f"{path.relative_to(ROOT)}:\n{run.stdout}")
            yield path, run.returncode == 0
