// SPDX-License-Identifier: MIT
#pragma once

#include "weft/detail/subscription.hpp"

namespace weft {

namespace detail {

/// What `readable` and `writable` share; their reference is that of `readable`.
class readiness {
 public:
  readiness(const readiness&) = delete;
  readiness& operator=(const readiness&) = delete;

  /// Whether a call on the descriptor would not wait at this moment; it may fail. Asks the kernel.
  bool ready() const noexcept;
  int fd() const noexcept { return fd_; }

  // What a waitable offers: see waitable.hpp.
  void add_waiter(subscription& s) noexcept;
  void remove_waiter(subscription& s) noexcept;

 protected:
  enum class way : unsigned char { in, out };
  readiness(int fd, way which);
  ~readiness();

 private:
  struct asked;
  void ask() const noexcept;
  void pin_after_fork() const noexcept;

  int fd_;
  way way_;
  // The descriptor's watch and our place in its list, in memory that the layer below knows.
  alignas(void*) mutable unsigned char place_[64];
  mutable subscription_list watchers_;
};

}  // namespace detail

/// That a descriptor can be read from, as an object to be waited for beside others: by `wait`, `wait_each`, `select`.
///
/// To wait for one descriptor alone call `wait_readable`; sockets and pipes of Weft's own wait by themselves.
///
///     weft::readable in(STDIN_FILENO);
///     weft::select(weft::on(in, [&] { read_line(); }), weft::on(stop, [] {}), weft::on_timeout(1s, [] {}));
///
/// Readiness is a hint, as with poll(2): another fiber may have been faster. So the descriptor should be non-blocking.
///
/// Order     With several that wait for a descriptor an event is for every `readable` and one of the plain waiters.
/// Threads   As every waitable: its members are safe from fibers and threads, at once.
/// Lifetime  The descriptor may be closed meanwhile, by `weft::close`: this is ready then, and the next call on it fails.
///           Destroying this while somebody waits for it aborts. In a fork's child nobody waits for it, and it can be used on.
/// Cost      To make and destroy one, a short lock each; `ready` is one poll(2).
class readable : public detail::readiness {
 public:
  /// On a thread that has no hub yet this makes one for it. A number that is no descriptor's is ready: the next call tells.
  /// @throws std::system_error when memory or, for the hub, descriptors are short
  explicit readable(int fd) : readiness(fd, way::in) {}
};

/// The same for writing and for the end of a connect.
class writable : public detail::readiness {
 public:
  explicit writable(int fd) : readiness(fd, way::out) {}
};

}  // namespace weft
