# SPDX-License-Identifier: MIT
"""Proves that cmake/check_layers.py accepts a sound tree and names each kind of fault."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPDX = "// SPDX-License-Identifier: MIT\n"
RULES = """
layer base lib/base :
layer loop lib/loop : base
layer core lib/core : base loop
layer shim shim : base core
public weft/fiber.hpp core
public weft/deadline.hpp base
door ev.h lib/loop
syscall lib/base shim
"""
SOUND = {
    "cmake/layers.txt": RULES,
    "lib/CMakeLists.txt": "add_library(weft base/a.cpp loop/l.cpp core/fiber.cpp)",
    "shim/CMakeLists.txt": "add_library(weft-shim s.cpp)",
    "include/weft/deadline.hpp": SPDX + "#include <chrono>\n",
    "include/weft/fiber.hpp": SPDX + '#include "weft/deadline.hpp"\n',
    "lib/base/a.hpp": SPDX,
    "lib/base/a.cpp": SPDX + '#include "base/a.hpp"\nlong f() { asm volatile("syscall"); }\n',
    "lib/loop/l.cpp": SPDX + "#include <ev.h>\n",
    "lib/core/fiber.cpp": SPDX + '#include "weft/fiber.hpp"\n#include "base/a.hpp"\n// the syscall; as a word\n',
    "lib/core/hub.hpp": SPDX + '#include "base/a.hpp"\n',
    "shim/s.cpp": SPDX + '#include "core/hub.hpp"\n',
    "tests/t.cpp": SPDX + '#include <ev.h>\n#include "core/hub.hpp"\n',
}


class CheckLayers(unittest.TestCase):
    def check(self, changed=()):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**SOUND, **dict(changed)}.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            run = subprocess.run(
                [sys.executable, ROOT / "cmake/check_layers.py", "--root", folder], capture_output=True, text=True
            )
            return run.returncode, run.stdout

    def refuses(self, path, body, text):
        status, output = self.check({path: SPDX + body}.items())
        self.assertEqual(status, 1, output)
        self.assertIn(text, output)
        self.assertIn(" 1 faults", output)

    def test_a_sound_tree_passes(self):
        status, output = self.check()
        self.assertEqual(status, 0, output)

    def test_an_empty_tree_passes(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "cmake").mkdir()
            pathlib.Path(folder, "cmake/layers.txt").write_text("layer base lib/base :\n")
            subprocess.run([sys.executable, ROOT / "cmake/check_layers.py", "--root", folder], check=True)

    def test_an_include_of_a_higher_layer(self):
        self.refuses("lib/base/b.hpp", '#include "core/hub.hpp"\n', "base may not include core")

    def test_an_include_of_a_layer_that_is_not_in_the_row(self):
        self.refuses("shim/b.hpp", '#include "loop/x.hpp"\n', '"loop/x.hpp" is no file')
        status, output = self.check(
            {"lib/loop/x.hpp": SPDX, "shim/b.hpp": SPDX + '#include "loop/x.hpp"\n'}.items()
        )
        self.assertEqual(status, 1)
        self.assertIn("shim may not include loop", output)

    def test_a_public_header_obeys_the_row_of_its_layer(self):
        self.refuses("lib/base/b.hpp", '#include "weft/fiber.hpp"\n', "base may not include core")

    def test_a_public_header_includes_public_headers_only(self):
        self.refuses("include/weft/fiber.hpp", '#include "core/hub.hpp"\n', "includes the private lib/core/hub.hpp")

    def test_a_public_header_is_listed(self):
        self.refuses("include/weft/new.hpp", "", "no `public` line")

    def test_an_example_sees_public_headers_only(self):
        self.refuses("examples/e.cpp", '#include "core/hub.hpp"\n', "an example includes the private")

    def test_libev_has_one_door(self):
        self.refuses("lib/core/hub.hpp", "#include <ev.h>\n", "<ev.h> belongs to lib/loop alone")

    def test_a_raw_system_call_has_its_folders(self):
        for body in ('void f() { asm("mov x; syscall\\n"); }\n', "long f() { return ::syscall(1); }\n"):
            self.refuses("lib/core/hub.hpp", body, "a raw system call")
        status, output = self.check(
            {"lib/core/x.S": SPDX + "  syscall\n", "lib/core/CMakeLists.txt": "x.S"}.items()
        )
        self.assertEqual(status, 1, output)

    def test_the_own_header_comes_first(self):
        self.refuses(
            "lib/core/fiber.cpp", '#include "base/a.hpp"\n#include "weft/fiber.hpp"\n', "not its own header"
        )

    def test_a_cycle(self):
        self.refuses("lib/base/a.hpp", '#include "base/a.hpp"\n', "which includes it in turn")

    def test_a_source_that_nothing_builds(self):
        self.refuses("lib/core/lost.cpp", "", "no CMakeLists.txt lists it")

    def test_a_file_that_is_too_long(self):
        self.refuses("tests/long.cpp", "\n" * 500, "needs a reason")

    def test_a_length_with_a_reason(self):
        changed = {"tests/long.cpp": SPDX + "\n" * 500, "cmake/layers.txt": RULES + "long tests/long.cpp : a table\n"}
        self.assertEqual(self.check(changed.items())[0], 0)

    def test_a_missing_licence_line(self):
        status, output = self.check({"tests/t.cpp": "int x;\n"}.items())
        self.assertEqual(status, 1)
        self.assertIn("not the SPDX line", output)

    def test_a_mark_of_unfinished_work(self):
        self.refuses("lib/base/b.hpp", "// TODO\n", "unfinished")

    def test_an_old_table_in_the_architecture_page(self):
        page = "x\n<!-- layers: begin -->\nold\n<!-- layers: end -->\n"
        status, output = self.check({"docs/architecture.md": page}.items())
        self.assertEqual(status, 1)
        self.assertIn("table of layers is old", output)


if __name__ == "__main__":
    unittest.main()
