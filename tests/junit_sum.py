# SPDX-License-Identifier: MIT
"""Prints "passed failed skipped" for a JUnit file that ctest wrote, given ctest's exit status.

ctest calls a test whose program is missing "not run", as it does one that skipped itself (exit status 77).
The first is a failure, only the second is a skip. The names of both go to stderr.
"""

import sys
import xml.etree.ElementTree as ET


def main(path, status):
    passed = failed = skipped = 0
    try:
        cases = ET.parse(path).getroot().iter("testcase")
    except (OSError, ET.ParseError) as error:
        # With no test to run ctest writes no file, and that is all right.
        if status == 0:
            return 0, 0, 0
        print(f"no result of ctest: {error}", file=sys.stderr)
        return 0, 1, 0
    for case in cases:
        name, state = case.get("name"), case.get("status")
        note = case.find("skipped")
        message = note.get("message", "") if note is not None else ""
        if state == "run":
            passed += 1
        elif state == "disabled" or message.startswith("SKIP_"):
            skipped += 1
            print(f"skipped: {name}", file=sys.stderr)
        else:
            failed += 1
            print(f"FAILED: {name} {message}", file=sys.stderr)
    if status != 0 and failed == 0:
        failed = 1
        print(f"ctest ended with status {status} though no test failed", file=sys.stderr)
    return passed, failed, skipped


if __name__ == "__main__":
    print(*main(sys.argv[1], int(sys.argv[2])))
