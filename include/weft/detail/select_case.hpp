// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "weft/deadline.hpp"
#include "weft/detail/channel_core.hpp"
#include "weft/detail/spin.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/park.hpp"

namespace weft {

/// A case of `select`, for those who keep pointers to some; made by `on_receive` and the other classes of select.hpp.
///
/// Lifetime  Of one select, and does not move.
class select_case {
 public:
  // What follows is for `select` itself.
  enum class kind : std::uint8_t { channel, object, timer, otherwise };

  select_case(const select_case&) = delete;
  select_case& operator=(const select_case&) = delete;

  /// Does what the case is for, if that needs no wait. @return whether it did
  virtual bool attempt() = 0;
  /// Calls what the user gave for it, once it was done.
  virtual void run() = 0;

  std::uint32_t index = 0;  ///< its place among the arguments
  const kind what;

 protected:
  explicit select_case(kind k) noexcept : what(k) {}
  ~select_case() = default;
};

namespace detail {

/// A send or a receive. The channel's other side does it, if it has to wait.
class channel_case : public select_case {
 public:
  /// As `attempt`, for who holds the channel's lock. @p wake is for when no lock is held any more.
  virtual bool attempt_held(waker& wake) noexcept = 0;
  /// Begins to wait. Under the lock.
  virtual void enter() noexcept = 0;
  /// Where it waits.
  virtual wait_queue& queue() noexcept = 0;
  virtual spinlock& lock() noexcept = 0;

  channel_waiter waiter;

 protected:
  channel_case() noexcept : select_case(kind::channel) {}
  ~channel_case() = default;
};

/// What the objects of one `select` ring when one of them may have become ready.
class select_bell {
 public:
  void ring() noexcept;
  /// Forgets what has rung. Before one looks at the objects.
  void reset() noexcept;
  /// From now on a ring wakes @p who. @return false if it has rung since `reset`: there is nothing to wait for
  bool arm(waker who) noexcept;
  void disarm() noexcept;

 private:
  spinlock lock_;
  bool rung_ = false;
  bool armed_ = false;
  waker who_{};
};

/// Something waitable: the fiber that selects tries, and is told when that may have become worth while. So who is told and
/// loses has taken nothing.
class object_case : public select_case {
 public:
  virtual void subscribe(subscription& s) = 0;
  virtual void unsubscribe(subscription& s) noexcept = 0;

  struct rope : subscription {
    select_bell* bell = nullptr;
  } pull;
  bool subscribed = false;

 protected:
  object_case() noexcept : select_case(kind::object) {}
  ~object_case() = default;
};

class timer_case : public select_case {
 public:
  bool attempt() final;
  deadline due() const noexcept { return due_; }

 protected:
  explicit timer_case(deadline due) noexcept : select_case(kind::timer), due_(due) {}
  ~timer_case() = default;

 private:
  deadline due_;
};

/// The work of `select`; reorders @p cases.
std::optional<std::size_t> select_one(std::span<select_case*> cases, deadline by);

}  // namespace detail
}  // namespace weft
