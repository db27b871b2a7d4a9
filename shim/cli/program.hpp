// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace weft::shim::cli {

/// A step from a script to what runs it.
struct script_step {
  std::string script;
  std::string interpreter;
};

/// What would be executed for a name.
struct resolved_program {
  std::string path;                  ///< the file the kernel loads; empty if there is none
  std::vector<script_step> scripts;  ///< how it came to that, for `#!` files
  std::string problem;               ///< why there is none
};

/// Finds a program as execvp(3) would: along PATH if the name has no slash, then through `#!` lines, and through env(1) in them.
resolved_program resolve_program(const std::string& name);

}  // namespace weft::shim::cli
