// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/channel_core.hpp"
#include "weft/detail/channel_store.hpp"
#include "weft/detail/taking_iterator.hpp"

namespace weft {

namespace detail {
template <class T>
class receive_case;
template <class T>
class send_case;
}  // namespace detail
template <class T>
class broadcast;

/// A FIFO that hands values from any number of senders to any number of receivers.
///
/// Use it when work changes hands; to announce that something happened use `event`, to return one result use `future`,
/// for another order than first in, first out, or to know when all work is done, use `queue`, and to give each value to
/// every receiver use `broadcast`. The capacity says how far senders may be ahead: 0 makes every send a rendezvous, which
/// returns once a receiver has taken the value; `weft::unbounded` never makes a sender wait.
///
///     weft::channel<job> jobs(64);
///     weft::spawn([&] { for (job& j : jobs) run(j); });  // ends when it is closed and empty
///     if (!jobs.send(next_job())) return;                // closed
///
/// Blocking  `send` suspends while full, `receive` and stepping its iterator while empty. Only the calling fiber sleeps;
///           on a thread that has no hub the thread itself sleeps. Nothing else here suspends.
/// Order     Values leave in the order they entered. Waiters are served first come, first served: a value goes straight
///           to the receiver that waits longest, and nobody can overtake it.
///           For `wait` over several objects a channel is ready while a `receive` would not wait.
/// Timeout   A passed deadline still succeeds if no wait is needed.
/// Cancel    Both are cancellation points when they wait. A cancelled `send` left no value behind; a cancelled `receive`
///           took none.
/// Threads   Safe from any fiber of any thread. Construction and destruction need exclusive access. The move constructor
///           and the destructor of T run under the channel's lock: they may not wait, nor use the same channel.
/// Lifetime  Destroying a channel that somebody waits on is a bug and aborts with the stacks of all fibers. Values inside are destroyed.
/// Cost      One short lock each way. Bounded: all memory is allocated by the constructor. Unbounded: one block for each
///           KiB of values, and those emptied are used again. See bench/channel_bench.cpp.
template <class T>
class channel : public detail::channel_core {
  static_assert(std::is_object_v<T> && std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "a value changes hands by a move that cannot fail: put others into a std::unique_ptr");

 public:
  using value_type = T;

  /// @param capacity  values held before `send` suspends: 0 for a rendezvous, or `weft::unbounded`
  /// @throws std::bad_alloc  also for more values than there is memory for
  explicit channel(std::size_t capacity) : store_(capacity) {}

  /// Gives @p value to the channel.
  /// @return false if the channel was closed or @p by passed first: @p value is then untouched and still the caller's, so
  ///         that a retry needs no copy. `closed()` tells the two apart.
  /// @throws cancelled       the calling fiber was cancelled
  /// @throws std::bad_alloc  unbounded alone
  [[nodiscard]] bool send(T&& value, deadline by = deadline::never()) {
    for (;;) {
      const outcome now = give(value);
      if (now != outcome::wait) return now == outcome::done;
      detail::channel_waiter me;
      me.slot = std::addressof(value);
      const ending end = wait(me, senders, by);
      if (end != ending::again) return end == ending::served;
    }
  }
  [[nodiscard]] bool send(const T& value, deadline by = deadline::never()) requires std::is_copy_constructible_v<T> {
    return send(T(value), by);
  }

  /// The same, without waiting: false also if it is full (with capacity 0: if no receiver waits).
  [[nodiscard]] bool try_send(T&& value) {
    const outcome now = give(value);
    if (now == outcome::wait) guard.unlock();
    return now == outcome::done;
  }
  [[nodiscard]] bool try_send(const T& value) requires std::is_copy_constructible_v<T> { return try_send(T(value)); }

  /// Takes the oldest value.
  /// @return the value, or nothing once the channel is closed and drained, or @p by has passed
  /// @throws cancelled  the calling fiber was cancelled
  [[nodiscard]] std::optional<T> receive(deadline by = deadline::never()) {
    std::optional<T> out;
    while (take(out) == outcome::wait) {
      detail::channel_waiter me;
      me.slot = &out;
      if (wait(me, receivers, by) != ending::again) break;
    }
    return out;
  }

  /// The same, without waiting: nothing also if it is empty (with capacity 0: if no sender waits).
  [[nodiscard]] std::optional<T> try_receive() {
    std::optional<T> out;
    if (take(out) == outcome::wait) guard.unlock();
    return out;
  }

  /// Values inside at this moment; those of senders that still wait do not count.
  std::size_t size() const noexcept {
    const std::lock_guard held(guard);
    return store_.size();
  }
  bool empty() const noexcept { return size() == 0; }
  std::size_t capacity() const noexcept { return store_.capacity(); }

  // What a waitable offers: see waitable.hpp.
  /// Whether a `receive` would not wait at this moment: there is a value, or a sender, or it is closed.
  bool ready() const noexcept {
    const std::lock_guard held(guard);
    return ready_held();
  }
  void add_waiter(detail::subscription& s) noexcept {
    const std::lock_guard held(guard);
    watchers.add(s);
    if (ready_held()) s.notify(s);
  }

  /// Receives until the channel is closed and drained: a single pass, of which any number of fibers may take part.
  auto begin() { return detail::taking_iterator<T, channel, &channel::receive>(*this); }
  static constexpr std::default_sentinel_t end() noexcept { return {}; }

 private:
  friend class detail::receive_case<T>;
  friend class detail::send_case<T>;
  friend class broadcast<T>;
  using block = typename detail::channel_store<T>::block;

  bool ready_held() const noexcept { return shut || store_.size() != 0 || !senders.empty(); }

  // Hands `value` to the receiver that waits longest, or puts it inside. Under the lock; `wake` is for afterwards.
  outcome give_held(T& value, waker& wake) noexcept {
    if (shut) return outcome::closed;
    if (detail::channel_waiter* const receiver = next(receivers)) {
      static_cast<std::optional<T>*>(receiver->slot)->emplace(std::move(value));
      wake = serve(*receiver);
      return outcome::done;
    }
    if (store_.full()) return outcome::wait;
    if (store_.short_of_blocks()) return outcome::memory;
    store_.push(std::move(value));
    watchers.notify();
    return outcome::done;
  }

  // Takes the oldest value, and lets the sender that waits longest put its own inside. As above.
  outcome take_held(std::optional<T>& out, waker& wake, block*& emptied) noexcept {
    if (store_.size() != 0) {
      emptied = store_.pop(out);
      if (detail::channel_waiter* const sender = next(senders)) {
        if (sender->slot != nullptr) store_.push(std::move(*static_cast<T*>(sender->slot)));
        wake = serve(*sender);
      }
      return outcome::done;
    }
    if (detail::channel_waiter* const sender = next(senders)) {
      out.emplace(std::move(*static_cast<T*>(sender->slot)));
      wake = serve(*sender);
      return outcome::done;
    }
    return shut ? outcome::closed : outcome::wait;
  }

  // Waits until a value could be sent, which only helps who alone sends. @return false if it is closed, or `by` has passed
  bool wait_for_room(deadline by) {
    for (;;) {
      guard.lock();
      if (shut || !store_.full()) {
        const bool room = !shut;
        guard.unlock();
        return room;
      }
      detail::channel_waiter me;  // without a slot: it has nothing to put inside yet
      const ending end = wait(me, senders, by);
      if (end != ending::again) return end == ending::served;
    }
  }

  // `give_held` and `take_held` with the lock taken, and freed again but for `wait`: so that nothing changes before the caller is queued.
  outcome give(T& value) {
    std::unique_ptr<block> fresh;
    for (;;) {
      waker wake{};
      guard.lock();
      if (fresh != nullptr && store_.short_of_blocks()) store_.supply(fresh.release());
      const outcome now = give_held(value, wake);
      if (now == outcome::wait) return now;
      guard.unlock();
      if (__builtin_expect(now != outcome::memory, 1)) {
        if (wake.target != nullptr) unpark(wake);
        return now;
      }
      fresh = std::make_unique_for_overwrite<block>();  // not under the lock; all may change meanwhile
    }
  }
  outcome take(std::optional<T>& out) {
    waker wake{};
    block* emptied = nullptr;
    guard.lock();
    const outcome now = take_held(out, wake, emptied);
    if (now == outcome::wait) return now;
    guard.unlock();
    if (wake.target != nullptr) unpark(wake);
    delete emptied;
    return now;
  }

  detail::channel_store<T> store_;
};

}  // namespace weft
