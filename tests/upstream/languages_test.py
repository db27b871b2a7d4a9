# SPDX-License-Identifier: MIT
"""A small threaded program in a language's own runtime: its locks, sockets, collector and child processes.

    python3 languages_test.py [--weft WEFT] [--hubs 1,2] erlang|java|perl|ruby

Skipped (status 77) where the language is not installed.
"""

import os
import shutil
import sys

import support
from support import check, started

SOURCES = os.path.join(support.HERE, "languages")
# What runs it, and the command that follows in the folder where the sources are.
LANGUAGES = {
    "erlang": ("erl", ["erl", "+S", "4:4", "-noshell", "-eval",
                       "{ok, threads, Code} = compile:file(threads, [binary]), "
                       "code:load_binary(threads, [], Code), threads:main()."]),
    "java": ("javac", ["java", "Threads.java"]),
    "perl": ("perl", ["perl", "threads.pl"]),
    "ruby": ("ruby", ["ruby", "-W0", "threads.rb"]),
}


def body(mode, command):
    with support.workspace("language") as directory:
        sources = os.path.join(directory, "sources")
        shutil.copytree(SOURCES, sources)
        with started(mode.command(command), directory, "program", cwd=sources) as program:
            program.expect(100)
            check("end" in program.output(), program.tail())
            return program.output()


def main():
    args = support.parse(__doc__.splitlines()[0],
                         lambda parser: parser.add_argument("language", choices=sorted(LANGUAGES)))
    tool, command = LANGUAGES[args.language]
    if shutil.which(tool) is None:
        print(f"no {tool} on this machine")
        sys.exit(77)
    support.run_modes(args, lambda mode: body(mode, command))


if __name__ == "__main__":
    support.main(main)
