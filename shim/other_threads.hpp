// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::shim {

/// Where the other threads of the process sit in system calls, when there are any: those that a constructor ahead of ours started,
/// as the only object per process that may come first need not be us. Read from /proc; without it there are none.
class other_threads {
 public:
  static constexpr unsigned max_places = 256;

  other_threads();
  /// As if there were none: for text that nobody can be in.
  enum nobody { none };
  explicit other_threads(nobody) {}
  /// Whether there is another thread.
  bool any() const { return any_; }
  /// Whether one returns from its system call to @p address, or may (there were too many to list).
  bool returns_to(std::uint64_t address) const;

 private:
  void list();

  bool any_ = false, all_listed_ = true;
  unsigned count_ = 0;
  std::uint64_t places_[max_places];
};

}  // namespace weft::shim
