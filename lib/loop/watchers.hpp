// SPDX-License-Identifier: MIT
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>

struct ev_loop;

namespace weft::loop {

/// A watcher of time: the storage of an ev_timer. As libev counts, so to a millisecond; the loop's own deadlines are finer.
class timer {
 public:
  using callback = void (*)(timer&) noexcept;

  /// To be called first, and only while it is stopped.
  void set(callback call, int priority) noexcept;
  /// Calls back once @p after_ns have passed from now, and every @p repeat_ns from then on unless that is 0.
  void start(struct ev_loop* loop, std::int64_t after_ns, std::int64_t repeat_ns) noexcept;
  /// Lets @p repeat_ns begin anew; with 0 it stops (ev_timer_again).
  void again(struct ev_loop* loop, std::int64_t repeat_ns) noexcept;
  void stop(struct ev_loop* loop) noexcept;
  bool active() const noexcept;
  /// Until the next call back, if it is active.
  std::int64_t remaining_ns(struct ev_loop* loop) noexcept;

 private:
  alignas(8) std::byte storage_[48]{};
};

/// A watcher of a path: the storage of an ev_stat. Told by inotify where the kernel has it, else it looks now and then; each
/// look is an lstat on the loop's thread.
class path {
 public:
  using callback = void (*)(path&) noexcept;

  /// @p name must live as long as it is active. @p interval_ns of the looks; 0: libev's choice.
  void set(callback call, int priority, const char* name, std::int64_t interval_ns) noexcept;
  void start(struct ev_loop* loop) noexcept;
  void stop(struct ev_loop* loop) noexcept;
  bool active() const noexcept;
  /// What the last look found, and the one before the change; st_nlink is 0 where nothing was.
  const struct stat& now() const noexcept;
  const struct stat& before() const noexcept;

 private:
  alignas(8) std::byte storage_[448]{};
};

}  // namespace weft::loop
