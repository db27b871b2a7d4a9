// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/arch/x86_64/decoder.hpp"
#include "shim/scan.hpp"

namespace weft::shim {

/// No window that is overwritten reaches farther than this from its syscall.
constexpr std::uint64_t window_reach = 63;

/// What stands around one syscall, and what jumps there.
struct surroundings {
  static constexpr unsigned max_before = found_site::max_moved;
  static constexpr unsigned max_after = found_site::max_moved + 4;  // with padding behind a jump

  instruction before[max_before];  ///< before[0] is the nearest
  instruction after[max_after];    ///< after[0] is the nearest
  unsigned before_count = 0, after_count = 0;
  std::uint64_t floor = 0;        ///< end of the window before: nothing below it can be had
  std::uint64_t limit = 0;        ///< start of the next function
  std::uint64_t targets[2] = {};  ///< bit i: something jumps to site - 64 + i

  void add_target(std::uint64_t site, std::uint64_t t);
  bool is_target(std::uint64_t site, std::uint64_t t) const;
  /// Whether one of the instructions kept here, or the syscall, begins at @p t.
  bool is_boundary(std::uint64_t site, std::uint64_t t) const;
};

/// Decides how the site is patched: fills in kind, reason, window, and the instructions to move.
void choose_window(found_site& site, const surroundings& around, decoder& decode);

/// Whether the instruction may change eax (when in doubt, yes).
bool writes_eax(const instruction& code);

}  // namespace weft::shim
