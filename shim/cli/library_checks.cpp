// SPDX-License-Identifier: MIT
#include <gnu/libc-version.h>
#include <link.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/words.hpp"
#include "shim/cli/checks.hpp"
#include "shim/cli/libraries.hpp"

namespace weft::shim::cli {
namespace {

constexpr char libc_name[] = "libc.so.6";

// The libc that this command runs on, and that the shim was built for.
std::string own_libc() {
  std::string result;
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* into) {
        if (base::last_component(object->dlpi_name) == libc_name) *static_cast<std::string*>(into) = object->dlpi_name;
        return 0;
      },
      &result);
  return result;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first;
  struct stat second;
  return stat(a.c_str(), &first) == 0 && stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

void check_libc(const std::vector<library>& libraries, findings& into) {
  for (const library& each : libraries) {
    if (each.name != libc_name || each.path.empty()) continue;
    if (same_file(each.path, own_libc())) {
      into.push_back(
          {level::ok, "libc", std::string("glibc ") + gnu_get_libc_version() + ", which the shim was built for", ""});
    } else {
      into.push_back({level::warning, "libc",
                      "it brings a glibc of its own (" + each.path + "), which the shim was not built for",
                      "if it does not start, build Weft on that glibc"});
    }
    return;
  }
  into.push_back({level::error, "libc", "it uses no libc: nothing would be patched; it runs as before", ""});
}

// gcc's and clang's AddressSanitizer, as libraries: each looks whether it is the first that is loaded, and ends the process if not.
void check_sanitizer(const std::vector<library>& libraries, findings& into) {
  for (const library& each : libraries) {
    if (!each.name.starts_with("libasan.so") && !each.name.starts_with("libclang_rt.asan")) continue;
    into.push_back({level::error, "sanitizer",
                    each.name + " lets no other library be loaded before it: the program does not start",
                    "build it without -fsanitize=address, or run it without Weft"});
  }
}

}  // namespace

std::vector<library> check_libraries(const std::string& path, const elf_summary& elf, findings& into) {
  std::vector<library> libraries;
  if (!list_libraries(elf.interpreter, path, libraries)) {
    into.push_back({level::error, "libraries", "its loader " + elf.interpreter + " does not say what it would load",
                    "see whether the program starts without Weft"});
    return {};
  }
  std::string missing;
  for (const library& each : libraries) {
    if (each.path.empty()) missing += (missing.empty() ? "" : ", ") + each.name;
  }
  if (libraries.empty()) {
    into.push_back({level::ok, "libraries", "it needs none", ""});
  } else if (missing.empty()) {
    into.push_back({level::ok, "libraries", std::to_string(libraries.size()) + " are found, with the loader", ""});
  } else {
    into.push_back({level::error, "libraries", "not found: " + missing + "; the program does not start",
                    "install them, or set LD_LIBRARY_PATH"});
  }
  check_libc(libraries, into);
  check_sanitizer(libraries, into);
  std::erase_if(libraries, [](const library& each) { return each.path.empty(); });
  return libraries;
}

}  // namespace weft::shim::cli
