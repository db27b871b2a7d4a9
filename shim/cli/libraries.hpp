// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace weft::shim::cli {

struct library {
  std::string name;
  std::string path;  ///< empty if it was not found
};

/// Asks the program's own loader (glibc's) which libraries it would load. No code of the program runs.
/// @return false if the loader could not be asked
bool list_libraries(const std::string& loader, const std::string& path, std::vector<library>& into);

/// Parses the loader's list.
std::vector<library> parse_library_list(const std::string& text);

}  // namespace weft::shim::cli
