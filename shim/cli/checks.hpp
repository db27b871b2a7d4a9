// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shim/cli/elf.hpp"
#include "shim/cli/findings.hpp"
#include "shim/cli/libraries.hpp"
#include "shim/cli/program.hpp"

namespace weft::shim::cli {

/// The way from a script to what is loaded.
void check_scripts(const resolved_program& program, findings& into);

/// What the file's rights do to a preload.
void check_privilege(const std::string& path, findings& into);

/// What the file is. @return false if nothing more can be said of it.
bool check_format(const std::optional<elf_summary>& elf, findings& into);

/// The libraries the loader would take, as the loader itself tells.
/// @return those that are there, and the loader
std::vector<library> check_libraries(const std::string& path, const elf_summary& elf, findings& into);

/// The system call instructions of the program and its libraries: those outside libc, and those that cannot be patched.
void check_syscalls(const std::string& path, const std::vector<library>& libraries, findings& into);

/// What of this machine and this session matters: shim, CPU, kernel, limits, filters.
void check_host(findings& into);

}  // namespace weft::shim::cli
