// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace weft::core {

struct fiber;

/// The deadlines of one hub's parked fibers: a 4-ary heap. A fiber whose wait ended early leaves its entry standing and
/// moves it lazily when it comes up, so that a server's per-read deadlines cost a store each, not a heap operation.
class timers {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  /// Sees to it that @p f comes up at `f.due` or before.
  /// @return false when there is no memory for it.
  bool arm(fiber& f) noexcept;
  /// Takes the entry of @p f out, if it has one.
  void drop(fiber& f) noexcept;
  /// The next fiber whose entry has come up by @p now, its entry taken out; or nullptr.
  fiber* pop(std::int64_t now) noexcept;
  /// When the earliest entry comes up; `never` when there is none.
  std::int64_t next() const noexcept { return count() == 0 ? never : heap_[0].due; }
  /// From any thread.
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  struct entry {
    std::int64_t due;
    fiber* owner;
  };
  void place(std::size_t at, entry e) noexcept;
  void sift_up(std::size_t at, entry e) noexcept;
  void sift_down(std::size_t at, entry e) noexcept;
  void remove(std::size_t at) noexcept;
  void set_count(std::size_t n) noexcept { count_.store(n, std::memory_order_relaxed); }

  entry* heap_ = nullptr;
  std::atomic<std::size_t> count_{0};
  std::size_t room_ = 0;
};

}  // namespace weft::core
