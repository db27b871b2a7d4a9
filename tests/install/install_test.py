# SPDX-License-Identifier: MIT
"""Installs a build into an empty folder, moves it, and builds and runs a program against it in the three ways there are.

    install_test.py SOURCE_DIR BUILD_DIR CXX find_package|pkg_config|add_subdirectory|layout
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE, BUILD, CXX, KIND = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
HERE = SOURCE / "tests/install"
TOYS = {"toy": "weft", "toy_patch": "weft-patch"}


def run(*command, **environment):
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}\nexit status {done.returncode}")
    return done.stdout


def installed(work):
    """The prefix, moved after the installation: nothing in it may name the place it was installed to."""
    run("cmake", "--install", BUILD, "--prefix", work / "first")
    return (work / "first").rename(work / "prefix")


def folder_of(prefix, pattern):
    found = sorted(prefix.rglob(pattern))
    if not found:
        raise SystemExit(f"{pattern} was not installed; there are: {sorted(map(str, prefix.rglob('*')))}")
    return found[0].parent


def build_toy(work, project, *options):
    build = work / "build"
    run("cmake", "-S", HERE / project, "-B", build, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={CXX}", *options)
    run("cmake", "--build", build, "--target", *TOYS, "-j2")
    for toy in TOYS:
        run(build / toy, LD_LIBRARY_PATH="")


def find_package(work):
    build_toy(work, "find_package", f"-DCMAKE_PREFIX_PATH={installed(work)}")


def pkg_config(work):
    prefix = installed(work)
    for toy, package in TOYS.items():
        flags = run("pkg-config", "--cflags", "--libs", package, PKG_CONFIG_PATH=str(folder_of(prefix, "weft.pc"))).split()
        run(CXX, "-std=c++20", HERE / f"{toy}.cpp", "-o", work / toy, *flags)
        run(work / toy, LD_LIBRARY_PATH=str(folder_of(prefix, "libweft.so")))


def add_subdirectory(work):
    build_toy(work, "add_subdirectory")


def layout(work):
    """The installed command finds the shim, and the shim finds the library, with no help of the environment."""
    prefix = installed(work)
    if not (prefix / "bin/weft").exists():
        raise SystemExit("bin/weft was not installed")
    folder_of(prefix, "libweft-shim.so")
    answer = run(prefix / "bin/weft", "run", "--", "/bin/echo", "woven", LD_LIBRARY_PATH="")
    if answer != "woven\n":
        raise SystemExit(f"weft run printed: {answer}")


with tempfile.TemporaryDirectory() as folder:
    {"find_package": find_package, "pkg_config": pkg_config, "add_subdirectory": add_subdirectory, "layout": layout}[KIND](
        pathlib.Path(folder)
    )
