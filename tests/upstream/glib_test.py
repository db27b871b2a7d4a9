# SPDX-License-Identifier: MIT
"""GLib's own tests (package libglib2.0-tests) of threads, pools, main loops, D-Bus, sockets and child processes.

    python3 glib_test.py [--weft WEFT] [--hubs 1,2] [TEST...]
"""

import os
import re

import support
from support import check

FOLDER = "/usr/libexec/installed-tests/glib"
TESTS = """
async-close-output-stream async-splice-output-stream asyncqueue buffered-input-stream cancellable cond converter-stream
filter-streams gdbus-auth gdbus-close-pending gdbus-connection-flush gdbus-connection-loss gdbus-names gdbus-peer
gdbus-peer-object-manager gdbus-server-auth io-stream once pollable private readwrite resolver-parsing rwlock signal-handler
sleepy-stream socket socket-listener socket-service spawn-multithreaded spawn-singlethread task thread thread-pool threadtests
tls-interaction unix unix-fd unix-streams
""".split()


def verdict(mode, directory, name):
    """The exit status and what each case came to; a seed that is drawn is left out."""
    environment = dict(os.environ, G_TEST_SRCDIR=FOLDER, G_TEST_BUILDDIR=FOLDER, LC_ALL="C.UTF-8")
    with support.started(mode.command([os.path.join(FOLDER, name)]), directory, name, env=environment,
                         cwd=FOLDER) as test:
        status = test.wait(100)
        cases = [re.sub(r"seed:\d+", "", line) for line in test.output().splitlines()
                 if line.startswith(("ok", "not ok"))]
        check(mode.name == "native" or status in (0, 77), f"{name} ({mode.name}) ended with {status}\n{test.tail()}")
        return status, cases


def body(mode, names):
    with support.workspace("glib") as directory:
        return {name: verdict(mode, directory, name) for name in names}


def main():
    args = support.parse(__doc__.splitlines()[0], lambda parser: parser.add_argument("tests", nargs="*", default=TESTS))
    support.skip_without("libglib2.0-tests", os.path.join(FOLDER, "mutex"))
    names = [name for name in args.tests if os.path.exists(os.path.join(FOLDER, name))]
    # What fails natively, for want of a bus or a network, is no matter of Weft's.
    native = body(support.Mode(), names)
    passing = [name for name in names if native[name][0] == 0]
    check(len(passing) > 20, f"few of GLib's tests pass natively: {native}")
    print(f"{len(passing)} of {len(names)} pass natively", flush=True)
    support.run_modes(args, lambda mode: body(mode, passing) if mode.hubs else {name: native[name] for name in passing})


if __name__ == "__main__":
    support.main(main)
