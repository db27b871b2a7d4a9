#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The C interface as a binding sees it: loaded at run time, by declarations made from the header's words alone.

    ctypes_test.py LIBWEFT

CPython keeps the state of its calls by C stack, so functions in Python that are called by a fiber do not wait here; what waits in a
fiber is compiled.
"""

import ctypes
import errno
import os
import sys
import unittest

c = None  # the library
NEVER = 2**63 - 1
CANCELED = 2**64 - 1
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
POLLIN = 1


class attributes(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("stack_size", ctypes.c_size_t)]


def declare(path):
    lib = ctypes.CDLL(path)
    fiber, result = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    for name, returns, *takes in (
        ("weft_after", ctypes.c_int64, ctypes.c_int64),
        ("weft_spawn", ctypes.c_int, ctypes.POINTER(fiber), FUNCTION, ctypes.c_void_p, ctypes.POINTER(attributes)),
        ("weft_join", ctypes.c_int, fiber, result, ctypes.c_int64),
        ("weft_detach", None, fiber),
        ("weft_cancel", None, fiber),
        ("weft_run", ctypes.c_int, FUNCTION, ctypes.c_void_p, result),
        ("weft_sleep", ctypes.c_int, ctypes.c_int64),
        ("weft_yield", ctypes.c_int),
        ("weft_wait_fd", ctypes.c_int, ctypes.c_int, ctypes.c_short, ctypes.c_int64),
        ("weft_close", ctypes.c_int, ctypes.c_int),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = returns, takes
    return lib


def spawn(function, argument=None, how=None):
    fiber = ctypes.c_void_p()
    error = c.weft_spawn(ctypes.byref(fiber), function, argument, how)
    return error or fiber


def join(fiber, by=NEVER):
    result = ctypes.c_void_p()
    return c.weft_join(fiber, ctypes.byref(result), by), result.value


class binding(unittest.TestCase):
    def test_functions_in_python_run_when_the_caller_waits(self):
        seen = []

        @FUNCTION
        def note(argument):
            seen.append(argument)
            return argument + 1

        fibers = [spawn(note, i, attributes(b"note", 1 << 20)) for i in range(1, 6)]
        self.assertEqual(seen, [])
        self.assertEqual([join(f) for f in fibers], [(0, i + 1) for i in range(1, 6)])
        self.assertEqual(seen, [1, 2, 3, 4, 5])
        result = ctypes.c_void_p()
        self.assertEqual(c.weft_run(note, 41, ctypes.byref(result)), 0)
        self.assertEqual(result.value, 42)
        c.weft_detach(spawn(note, 7))
        self.assertEqual(c.weft_yield(), 0)
        self.assertEqual(seen[-1], 7)

    def test_errors_are_negative_numbers_of_errno(self):
        self.assertEqual(spawn(FUNCTION()), -errno.EINVAL)
        self.assertEqual(c.weft_join(None, None, NEVER), -errno.EINVAL)
        self.assertEqual(c.weft_wait_fd(-1, POLLIN, NEVER), -errno.EBADF)
        self.assertEqual(c.weft_close(987654), -errno.EBADF)
        c.weft_cancel(None)
        c.weft_detach(None)

    def test_a_fiber_waits_while_python_goes_on(self):
        # A compiled function with one argument as wide as a pointer.
        sleep = ctypes.cast(c.weft_sleep, FUNCTION)
        sleeper = spawn(sleep, NEVER)
        self.assertEqual(join(sleeper, c.weft_after(1000000))[0], -errno.ETIMEDOUT)
        c.weft_cancel(sleeper)
        error, said = join(sleeper)
        self.assertEqual((error, ctypes.c_int(said or 0).value), (0, -errno.ECANCELED))
        never_ran = spawn(sleep, NEVER)
        c.weft_cancel(never_ran)
        self.assertEqual(join(never_ran), (0, CANCELED))

    def test_a_descriptor_wakes_who_waits_for_it(self):
        reader, writer = os.pipe()

        @FUNCTION
        def write(_):
            os.write(writer, b"x")
            return None

        self.assertEqual(c.weft_wait_fd(reader, POLLIN, 0), -errno.ETIMEDOUT)
        c.weft_detach(spawn(write))
        self.assertEqual(c.weft_wait_fd(reader, POLLIN, NEVER), POLLIN)
        self.assertEqual(os.read(reader, 9), b"x")
        self.assertEqual(c.weft_close(reader), 0)
        os.close(writer)


if __name__ == "__main__":
    c = declare(sys.argv.pop(1))
    unittest.main()
