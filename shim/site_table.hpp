// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/sites.hpp"

namespace weft::shim {

constexpr unsigned max_sites = WEFT_STUB_COUNT;

/// The sites found so far; site i has stub i. Written while patching only.
struct site_table {
  site sites[max_sites];
  unsigned count = 0;

  bool known(std::uint64_t address) const {
    for (unsigned i = 0; i < count; ++i) {
      if (sites[i].address == address) return true;
    }
    return false;
  }
};
extern site_table the_sites;

/// Where stub @p number begins.
std::uint64_t stub_address(unsigned number);
stub_entry& stub_entry_of(unsigned number);
/// The code that replays what a patch overwrote behind a syscall.
std::uint64_t replay_code(replay again);
/// Whether an object is Weft's or the vDSO, where nothing is patched.
bool is_ours_or_vdso(const image& object);

}  // namespace weft::shim
