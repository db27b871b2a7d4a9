// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/spinlock.hpp"
#include "shim/sites.hpp"

namespace weft::shim {

constexpr unsigned max_sites = WEFT_STUB_COUNT;

/// The sites found so far; site i has stub i. Written while patching only, and when an object goes.
struct site_table {
  site sites[max_sites];
  unsigned count = 0;   ///< so many were ever used; one without an address is free again
  base::spinlock lock;  ///< of who writes when threads run

  /// A number for a new site; max_sites if all are taken.
  unsigned take() {
    for (unsigned i = 0; freed_ != 0 && i < count; ++i) {
      if (sites[i].address != 0) continue;
      --freed_;
      return i;
    }
    return count == max_sites ? max_sites : count++;
  }
  void free(unsigned number) {
    sites[number] = {};
    ++freed_;
  }
  unsigned room() const { return max_sites - count + freed_; }

  bool known(std::uint64_t address) const {
    for (unsigned i = 0; i < count; ++i) {
      if (sites[i].address == address) return true;
    }
    return false;
  }

 private:
  unsigned freed_ = 0;
};
extern site_table the_sites;

/// Where stub @p number begins.
std::uint64_t stub_address(unsigned number);
stub_entry& stub_entry_of(unsigned number);
/// The code that replays what a patch overwrote behind a syscall.
std::uint64_t replay_code(replay again);
/// Whether an object is Weft's, where nothing is patched.
bool is_ours(const image& object);

}  // namespace weft::shim
