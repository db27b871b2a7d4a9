# SPDX-License-Identifier: MIT
"""fio: four threads that write a file each, with a checksum in every block, and verify them by a way of asynchronous I/O.

    python3 fio_test.py [--weft WEFT] [--hubs 1,2] io_uring|libaio|posixaio|psync
"""

import ctypes
import errno
import json
import os
import sys

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


def skip_without_io_uring():
    """Ends the test as skipped where a container's filter or the machine's settings forbid the first call of all."""
    libc = ctypes.CDLL(None, use_errno=True)
    setup = 425
    fd = libc.syscall(setup, 1, ctypes.create_string_buffer(120))  # a whole struct io_uring_params
    if fd >= 0:
        os.close(fd)
    elif ctypes.get_errno() in (errno.ENOSYS, errno.EPERM, errno.EACCES):
        print(f"io_uring may not be used here: {os.strerror(ctypes.get_errno())}")
        sys.exit(77)


def main():
    args = support.parse(__doc__.splitlines()[0], lambda parser: parser.add_argument(
        "engine", choices=("io_uring", "libaio", "posixaio", "psync")))
    support.skip_without("fio", "fio")
    if args.engine == "io_uring":
        skip_without_io_uring()
    support.run_modes(args, lambda mode: body(mode, args.engine))


if __name__ == "__main__":
    support.main(main)
