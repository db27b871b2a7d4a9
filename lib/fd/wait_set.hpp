// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "fd/watch.hpp"

namespace weft::fd {

/// Descriptors that one call waits for together. A few of them, for reading or writing, wait by the watches they have
/// anyway, so that nothing is registered anew; more of them, and other events, by an epoll that lives for the call. Either way a
/// file whose number is closed meanwhile goes on being waited for, as in the kernel.
class wait_set {
 public:
  wait_set() noexcept = default;
  wait_set(const wait_set&) = delete;
  wait_set& operator=(const wait_set&) = delete;
  ~wait_set();

  /// @p events as poll(2) has them. A bad descriptor, or one that is always ready, is nothing to wait for.
  void add(int fd, unsigned events) noexcept;

  /// Waits until one of them may be ready. Where no epoll could be had it returns `woken` after a while. A signal for the
  /// fiber ends it.
  /// @return `stale` if one of the numbers was closed: the set is of no use any more.
  outcome wait(std::int64_t due_ns) noexcept;
  /// The same, but as a cancellation point of the library.
  outcome wait_cancellable(std::int64_t due_ns) noexcept;

 private:
  struct entry {
    fd::watch* watch;
    int fd;
    unsigned events;
    waiter waiters[2];
  };
  static constexpr int room = 4;

  outcome wait(std::int64_t due_ns, bool cancellable) noexcept;
  void use_epoll() noexcept;
  void keep(fd::watch* w) noexcept;
  bool lost_number() noexcept;
  void add_to_epoll(int fd, unsigned events) noexcept;

  entry entries_[room];
  int count_ = 0;
  bool by_epoll_ = false;
  bool stale_ = false;  // a number was closed behind the caller's look
  bool waited_ = false;
  int epoll_ = -1;
  fd::watch* epoll_watch_ = nullptr;
  fd::watch** kept_ = nullptr;  // of those in the epoll, so that the files stay
  unsigned kept_count_ = 0, kept_room_ = 0;
};

}  // namespace weft::fd
