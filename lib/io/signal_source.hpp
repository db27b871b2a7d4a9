// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <atomic>

namespace weft::detail {

/// One subscriber to some signals: a pipe that the process's handler of those signals writes to.
class [[gnu::visibility("hidden")]] signal_source {
 public:
  /// @throws std::system_error
  explicit signal_source(const sigset_t& signals);
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;
  ~signal_source();

  /// Takes a signal if there is one; never waits.
  bool try_take(siginfo_t & out) noexcept;
  /// Whether a signal is there that the pipe had no room for.
  bool has_overflowed() const noexcept;
  /// The end to wait on; -1 in a fork's child.
  int fd() const noexcept { return read_fd_; }

  /// What the handler knows of a subscriber to one signal. Never freed, so that a handler that runs on another thread may
  /// stand on it; reused.
  struct entry {
    std::atomic<int> fd{-1};
    std::atomic<bool> overflowed{false};
    std::atomic<bool> taken{false};
    entry* next = nullptr;
  };

 private:
  void subscribe(int signum);
  void unsubscribe_all() noexcept;
  void close_pipe() noexcept;
  static void forget_after_fork() noexcept;

  int read_fd_ = -1;
  int write_fd_ = -1;
  entry* entries_[65]{};  // by signal; those that are ours
  signal_source* next_ = nullptr;
};

}  // namespace weft::detail
