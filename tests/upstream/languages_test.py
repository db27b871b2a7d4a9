# SPDX-License-Identifier: MIT
"""A small threaded program in a language's own runtime: its locks, sockets, collector and child processes.

    python3 languages_test.py [--weft WEFT] [--hubs 1,2] erlang|java|perl|ruby|rust

Skipped (status 77) where the language is not installed.
"""

import os
import shutil

import support
from support import check, started

SOURCES = os.path.join(support.HERE, "languages")
# The Debian package, what must be there, and the command that runs the program in the folder where the sources are.
LANGUAGES = {
    "erlang": ("erlang-base", "erl", ["erl", "+S", "4:4", "-noshell", "-eval",
                       "{ok, threads, Code} = compile:file(threads, [binary]), "
                       "code:load_binary(threads, [], Code), threads:main()."]),
    "java": ("default-jdk-headless", "javac", ["java", "Threads.java"]),
    "perl": ("perl", "perl", ["perl", "threads.pl"]),
    "ruby": ("ruby", "ruby", ["ruby", "-W0", "threads.rb"]),
    "rust": ("rustc", "/usr/bin/rustc", ["./threads"]),
}
# What makes the program first, natively.
COMPILERS = {"rust": ["/usr/bin/rustc", "--edition", "2021", "-C", "opt-level=1", "threads.rs"]}


def body(mode, command, made):
    with support.workspace("language") as directory:
        sources = os.path.join(directory, "sources")
        shutil.copytree(made, sources)
        with started(mode.command(command), directory, "program", cwd=sources) as program:
            program.expect(100)
            check("end" in program.output(), program.tail())
            return program.output()


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("language", choices=sorted(LANGUAGES)))
    package, tool, command = LANGUAGES[args.language]
    support.skip_without(package, tool)
    with support.workspace("sources") as made:
        shutil.copytree(SOURCES, made, dirs_exist_ok=True)
        if args.language in COMPILERS:
            support.output_of(COMPILERS[args.language], made, "compiler", 200, cwd=made)
        support.run_modes(args, lambda mode: body(mode, command, made))


if __name__ == "__main__":
    support.main(main)
