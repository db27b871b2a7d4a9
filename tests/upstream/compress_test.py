# SPDX-License-Identifier: MIT
"""Compressors that share their work among four threads, there and back, and SQLite's sorter with threads.

    python3 compress_test.py [--weft WEFT] [--hubs 1,2] [--size MB] pigz|pbzip2|sqlite3|xz|zstd
"""

import hashlib
import os
import random

import support
from support import check, output_of

# The Debian package, the threads that it makes at least, and the commands for there and back, which read standard input.
TOOLS = {
    "pigz": ("pigz", 4, ["pigz", "-n", "-p", "4", "-b", "128"], ["pigz", "-d", "-p", "4"]),
    "pbzip2": ("pbzip2", 4, ["pbzip2", "-c", "-p4", "-b2"], ["pbzip2", "-c", "-d", "-p4"]),
    "xz": ("xz-utils", 4, ["xz", "-1", "-c", "-T4", "--block-size=256KiB"], ["xz", "-d", "-c", "-T4"]),
    "zstd": ("zstd", 4, ["zstd", "-q", "-c", "-3", "-T4", "-B524288"], ["zstd", "-q", "-d", "-c"]),
}

# The sorter gives each worker a run of what it sorts, once there is more than its cache.
SORT = """
PRAGMA threads = 4;
PRAGMA cache_size = 50;
CREATE TABLE facts AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
  SELECT i, (i * 7919) % 150001 AS k, hex(i * 104729) || hex(i * 31) AS text FROM n;
CREATE INDEX by_key ON facts (k, text);
CREATE UNIQUE INDEX by_text ON facts (text, i);
SELECT count(*), sum(i), min(k), max(text) FROM facts;
SELECT group_concat(k) FROM (SELECT k FROM facts ORDER BY k LIMIT 5 OFFSET 70000);
SELECT i FROM facts ORDER BY text LIMIT 3;
PRAGMA integrity_check;
"""


def through(mode, directory, command, source, threads):
    """What a tool makes of a file, as bytes; its threads are counted."""
    report = os.path.join(directory, "report")
    with open(source, "rb") as data, support.started(mode.reporting(command, report), directory, command[0],
                                                     stdin=data) as tool:
        tool.expect(100)
        if threads:
            mode.check_report(report, command[0], threads)
        with open(tool.out_path, "rb") as made:
            return made.read()


def there_and_back(mode, tool, original):
    _, threads, compress, expand = TOOLS[tool]
    with support.workspace(tool) as directory:
        source = os.path.join(directory, "source")
        packed = os.path.join(directory, "packed")
        with open(source, "wb") as out:
            out.write(original)
        made = through(mode, directory, compress, source, threads)
        check(len(made) < len(original) / 2, f"{tool} made {len(made)} bytes of {len(original)}")
        with open(packed, "wb") as out:
            out.write(made)
        check(through(mode, directory, expand, packed, 0) == original, f"{tool} does not give back what it was given")
        check(through(support.Mode(), directory, expand, packed, 0) == original, f"{tool} natively reads it otherwise")
        return hashlib.sha256(made).hexdigest()


def sort(mode):
    with support.workspace("sqlite3") as directory:
        script = os.path.join(directory, "script")
        report = os.path.join(directory, "report")
        with open(script, "w", encoding="utf-8") as out:
            out.write(SORT)
        with open(script, "rb") as lines:
            command = mode.reporting(["sqlite3", "-batch", os.path.join(directory, "database")], report)
            said = output_of(command, directory, "sqlite3", 100, stdin=lines)
        check(said.endswith("ok\n"), f"sqlite3 said {said}")
        mode.check_report(report, "sqlite3", 3)
        return said


def text(megabytes):
    """Words of a small vocabulary, the same ones each time."""
    draw = random.Random(megabytes)
    words = ["%x" % draw.getrandbits(8 + 4 * (i % 10)) for i in range(2000)]
    size = megabytes << 20
    return " ".join(draw.choices(words, k=size // 6)).encode()[:size]


def main():
    def extra(parser):
        parser.add_argument("--size", type=int, default=3)
        parser.add_argument("tool", choices=sorted([*TOOLS, "sqlite3"]))

    args = support.parse(__doc__.splitlines()[0], extra)
    if args.tool == "sqlite3":
        support.skip_without("sqlite3", "sqlite3")
        support.run_modes(args, sort)
    else:
        support.skip_without(TOOLS[args.tool][0], args.tool)
        original = text(args.size)
        support.run_modes(args, lambda mode: there_and_back(mode, args.tool, original))


if __name__ == "__main__":
    support.main(main)
