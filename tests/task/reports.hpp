// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/failure.hpp"

namespace weft::testing_support {

/// Notes what is reported while it lives.
class reports {
 public:
  reports() {
    count_ = 0;
    set_failure_handler([](const fiber_failure& f) noexcept {
      ++count_;
      last_ = f.fiber_id;
    });
  }
  reports(const reports&) = delete;
  reports& operator=(const reports&) = delete;
  ~reports() { set_failure_handler(nullptr); }
  static int count() { return count_; }
  static std::uint64_t last() { return last_; }

 private:
  static inline std::atomic<int> count_;
  static inline std::atomic<std::uint64_t> last_;
};

}  // namespace weft::testing_support
