// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "loop/turn_list.hpp"

struct ev_loop;

namespace weft::loop {

/// The point in time that never comes.
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

enum class direction : unsigned char { read = 0, write = 1 };

/// A watcher of one direction of one descriptor: the storage of an ev_io. It stays armed between waits, since stopping
/// and starting it again around each one is the dearest part of libev's way.
class io {
 public:
  /// Called by the loop when the direction is ready, or in error (then a system call will tell).
  using callback = void (*)(io&) noexcept;
  /// Called while others still have their turn, first with @p ahead 3, then 2, then 1: a hint to fetch into the cache what the
  /// callback will need.
  using approach = void (*)(io&, unsigned ahead) noexcept;

  /// Points the watcher at @p fd; it must be stopped. The first `start` behind this registers with the kernel again even
  /// if the number was registered before, since it may be another file by now.
  void set(int fd, direction dir, callback call, approach coming = nullptr) noexcept;
  void start(struct ev_loop* loop) noexcept;
  void stop(struct ev_loop* loop) noexcept;
  bool active() const noexcept;
  int fd() const noexcept;
  /// What the loop does when it is ready.
  void call_back() noexcept;

 private:
  friend class turn_list;
  alignas(8) std::byte storage_[48]{};
  approach coming_ = nullptr;
  std::uint32_t turn_ = 0;  // its place in the loop's turn_list, + 1
};

/// Weft's own descriptors keep out of the low numbers, which belong to the program: an open() must return there what it
/// would have returned without us. They respect RLIMIT_NOFILE, since F_DUPFD refuses to go above it.
/// @return the new number, or @p fd itself if it cannot be moved
int move_high(int fd) noexcept;

/// One libev loop with an epoll of its own; never the default loop, which would take SIGCHLD. For one OS thread, but for
/// `wake`.
class event_loop {
 public:
  constexpr event_loop() noexcept = default;
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// @return false when the kernel gives no descriptor or memory (errno tells).
  bool create() noexcept;
  void destroy() noexcept;
  /// In a fork's child: closes the descriptors that the parent's loop had here. The loop can be created anew.
  void abandon() noexcept;

  /// Collects what is ready and calls back. @p block: waits for an event, `wake`, a signal, or the point @p until_ns of
  /// CLOCK_MONOTONIC, to the kernel's precision.
  void run(bool block, std::int64_t until_ns) noexcept;

  /// Ends a `run` that blocks, or the next one that would. From any thread and from signal handlers.
  void wake() noexcept;

  struct ev_loop* get() const noexcept {
    return loop_;
  }
  /// The loop's own descriptors: never the program's business.
  int own_fds(int (&fds)[2]) const noexcept;

  /// Takes @p fd, which is about to be closed, out of the loop's epoll, from any thread. The kernel does so by itself only
  /// if nobody else has the description; events of one that somebody has would come on under a number that is no more.
  void forget(int fd) const noexcept;

 private:
  friend struct libev_kernel;
  static void invoke(struct ev_loop* loop) noexcept;
  /// Whose calls libev makes on this thread.
  static __thread event_loop* current __attribute__((tls_model("initial-exec")));

  struct ev_loop* loop_ = nullptr;
  turn_list turns_;
  io wake_io_;
  int wake_fd_ = -1;
  std::atomic<int> epoll_fd_{-1};
  std::int64_t until_ns_ = never;  // of the run that waits
};

}  // namespace weft::loop
