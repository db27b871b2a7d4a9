// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weft::shim::cli {

/// What an ELF file says of itself, as far as it matters to a preload.
struct elf_summary {
  bool is_64_bit = false;
  unsigned machine = 0;  ///< EM_*
  unsigned type = 0;     ///< ET_*
  std::string interpreter;
  std::vector<std::string> needed;
  bool has_dynamic_section = false;
  bool is_pie = false;
  bool relocates_text = false;
  std::set<std::string> sections;
  std::set<std::string> functions;  ///< defined ones, of either symbol table; only if asked for
};

/// @return nothing if the file cannot be read or is no ELF file. A file that is cut short or lies about itself gives what is
///         inside its bounds. Of 32-bit and big-endian files only the header is read.
/// @param with_functions  fill `functions`, which takes a while for a big program
std::optional<elf_summary> read_elf(const std::string& path, bool with_functions);

}  // namespace weft::shim::cli
