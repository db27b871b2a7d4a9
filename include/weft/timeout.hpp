// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/cancel_record.hpp"

namespace weft {

class timeout;

/// Thrown by a `timeout` that has passed. Not derived from std::exception: a handler for errors must not swallow it, for it may
/// belong to a block further out.
class timeout_expired {
 public:
  explicit timeout_expired(const timeout& by) noexcept : by_(&by) {}
  /// Whether it was thrown by @p t: the question that a handler asks before it takes it for its own.
  bool of(const timeout& t) const noexcept { return by_ == &t; }

 private:
  const timeout* by_;
};

/// Limits the time of all that the fiber does while it runs: a suspension point behind the deadline throws.
///
/// For one call give that call its deadline instead, and learn of it by a value; to go on with something else when time is
/// up take `with_timeout` or `within`; to end a block from outside too, a `cancel_scope`.
///
///     weft::timeout limit(2s);
///     try {
///       talk_to(server);
///     } catch (const weft::timeout_expired& e) {
///       if (!e.of(limit)) throw;  // that of a caller of ours
///       give_up();
///     }
///
/// Blocking  Never.
/// Order     They nest by identity: each throws for itself, once. Of several that are due the outermost goes first.
/// Timeout   A deadline that has passed is thrown at the next suspension point, also by one that need not wait.
/// Cancel    Powerless while the code does not suspend, while a `shield` hides it, and while destructors run.
/// Threads   On the stack of the fiber whose time it limits; one that runs and is cancelled or destroyed elsewhere, or behind that
///           fiber's end, aborts. On a thread that has no hub yet, this makes one for it.
/// Cost      A few stores to start and stop; no system call.
class timeout {
 public:
  /// Not running.
  timeout() noexcept : record_(*this) {}
  /// Running.
  /// @throws std::system_error  the hub cannot be made
  explicit timeout(deadline by) : timeout() { start(by); }
  /// One that throws @p with instead of `timeout_expired`.
  timeout(deadline by, std::exception_ptr with) : record_(*this), with_(std::move(with)) { start(by); }
  timeout(const timeout&) = delete;
  timeout& operator=(const timeout&) = delete;
  ~timeout() { record_.leave(); }

  /// Starts it; the fiber's calls behind this are the ones inside. One that runs already aborts.
  void start(deadline by) {
    expired_ = false;
    record_.enter(by);
  }
  /// Stops it, if it runs; what it had due is dropped. It may be started again.
  void cancel() noexcept { record_.leave(); }

  /// Whether it runs and has not thrown.
  bool pending() const noexcept { return record_.entered() && !expired_; }
  /// Whether it has thrown since its last start.
  bool expired() const noexcept { return expired_; }

 private:
  struct own_record : detail::cancel_record {
    explicit own_record(timeout& t) noexcept : cancel_record(raise), owner_timeout(&t) {}
    timeout* owner_timeout;
  };
  static void raise(detail::cancel_record& r) {
    timeout& me = *static_cast<own_record&>(r).owner_timeout;
    me.expired_ = true;
    if (me.with_ != nullptr) std::rethrow_exception(me.with_);
    throw timeout_expired(me);
  }

  own_record record_;
  std::exception_ptr with_;
  bool expired_ = false;
};

/// Calls @p function, which has until @p by; @return what it gives, or @p fallback if its time is up. Only that: a timeout further
/// out goes on its way.
template <class F, class T>
auto with_timeout(deadline by, F&& function, T&& fallback) -> std::invoke_result_t<F> {
  timeout limit(by);
  try {
    return std::invoke(std::forward<F>(function));
  } catch (const timeout_expired& e) {
    if (!e.of(limit)) throw;
  }
  return std::forward<T>(fallback);
}
/// The same without a fallback: throws timeout_expired.
template <class F>
auto with_timeout(deadline by, F&& function) -> std::invoke_result_t<F> {
  const timeout limit(by);
  return std::invoke(std::forward<F>(function));
}

/// The silent form: calls @p function, which has until @p by. @return false if its time was up
template <class F>
bool within(deadline by, F&& function) {
  timeout limit(by);
  try {
    std::invoke(std::forward<F>(function));
    return true;
  } catch (const timeout_expired& e) {
    if (!e.of(limit)) throw;
  }
  return false;
}

}  // namespace weft
