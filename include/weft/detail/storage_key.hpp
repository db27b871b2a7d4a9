// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::detail {

/// A number that no other object has had or will have, taken at its first use: so that a variable needs no initialisation at
/// run time, and one that comes to lie where another was is not taken for it.
class storage_key {
 public:
  constexpr storage_key() noexcept = default;
  storage_key(const storage_key&) = delete;
  storage_key& operator=(const storage_key&) = delete;

  std::uint64_t number() const noexcept {
    const std::uint64_t n = number_.load(std::memory_order_relaxed);
    return n != 0 ? n : take_number();
  }

 private:
  std::uint64_t take_number() const noexcept;
  mutable std::atomic<std::uint64_t> number_{0};
};

/// The values of the running fiber, or of the thread.
void* find_local(std::uint64_t key) noexcept;
/// @throws std::bad_alloc
void add_local(std::uint64_t key, void* value, void (*destroy)(void*) noexcept);
/// Destroys it. @return false if there is none
bool drop_local(std::uint64_t key) noexcept;

}  // namespace weft::detail
