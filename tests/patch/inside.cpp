// SPDX-License-Identifier: MIT
// A main around the program's own, which patches the process first. The linker puts it there: --wrap=main.
#include <cstdio>
#include <exception>

#include "weft/patch.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names
extern "C" int __real_main(int, char**, char**);
extern "C" int __wrap_main(int argc, char** argv, char** envp) {
  try {
    if (!weft::patch::all()) return 99;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 98;
  }
  return __real_main(argc, argv, envp);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
