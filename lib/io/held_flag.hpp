// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace weft::io {

/// Resets a flag when it goes. Moved into the body of a fiber that the flag stands for: the flag falls also if the fiber is
/// killed, even before it has begun.
class [[gnu::visibility("hidden")]] held_flag {
 public:
  /// @param flag  set already; it keeps alive what the flag is part of
  explicit held_flag(std::shared_ptr<std::atomic<bool>> flag) noexcept : flag_(std::move(flag)) {}
  held_flag(held_flag &&) noexcept = default;
  held_flag& operator=(held_flag&&) = delete;
  ~held_flag() {
    if (flag_ != nullptr) flag_->store(false);
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace weft::io
