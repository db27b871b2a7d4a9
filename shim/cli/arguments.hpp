// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

namespace weft::shim::cli {

/// The words behind `weft run`, parted where the program begins.
struct parted_arguments {
  std::vector<std::string> options;  ///< ours; a bare `--report` stands here as `--report=-`
  char** program = nullptr;          ///< its argv, up to the null at the end; null if no program is named
};

/// Parts @p words (an argv without the command's name, a null behind it) at the first word that is no option of ours.
///
/// All behind that word belongs to the program, whatever it looks like. `--` ends our options and is dropped.
parted_arguments part_arguments(std::span<char*> words);

}  // namespace weft::shim::cli
