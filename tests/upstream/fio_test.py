# SPDX-License-Identifier: MIT
"""fio: four threads that write a file each, with a checksum in every block, and verify them by a way of asynchronous I/O.

    python3 fio_test.py [--weft WEFT] [--hubs 1,2] io_uring|libaio|posixaio|psync
"""

import json
import os

import support
from support import check, output_of

THREADS = 4
JOB = """\
[global]
thread
directory={directory}
ioengine={engine}
iodepth=4
rw=randwrite
bs=16k
size=1m
fsync=8
verify=crc32c
do_verify=1
group_reporting
numjobs={threads}
[job]
"""


def body(mode, engine):
    with support.workspace("fio") as directory:
        job = os.path.join(directory, "job")
        report = os.path.join(directory, "report")
        with open(job, "w", encoding="utf-8") as out:
            out.write(JOB.format(directory=directory, engine=engine, threads=THREADS))
        said = output_of(mode.reporting(["fio", "--output-format=json", "--aux-path=" + directory, job], report), directory, "fio", 100)
        (done,) = json.loads(said[said.index("{"):])["jobs"]
        mode.check_report(report, "fio", THREADS)
        check(done["error"] == 0, f"fio met an error\n{said}")
        return done["write"]["total_ios"], done["read"]["total_ios"]


def main():
    args = support.parse(__doc__.splitlines()[0], lambda parser: parser.add_argument(
        "engine", choices=("io_uring", "libaio", "posixaio", "psync")))
    support.skip_without("fio", "fio")
    support.run_modes(args, lambda mode: body(mode, args.engine))


if __name__ == "__main__":
    support.main(main)
