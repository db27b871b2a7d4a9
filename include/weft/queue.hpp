// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/misuse.hpp"
#include "weft/detail/queue_store.hpp"
#include "weft/detail/queue_waiter.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/detail/taking_iterator.hpp"
#include "weft/detail/unbounded.hpp"
#include "weft/mutex.hpp"

namespace weft {

namespace detail {

/// The interface that all queues have in common; @p Store says in which order values leave.
template <class T, class Store>
class basic_queue {
  static_assert(std::is_object_v<T> && std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "a value changes hands by a move that cannot fail: put others into a std::unique_ptr");

 public:
  using value_type = T;

  basic_queue(const basic_queue&) = delete;
  basic_queue& operator=(const basic_queue&) = delete;

  /// Puts @p value in.
  /// @return false if the queue was shut down or @p by passed first: @p value is then untouched and still the caller's.
  ///         `closed()` tells the two apart.
  /// @throws cancelled       the calling fiber was cancelled
  /// @throws std::bad_alloc  @p value is untouched
  [[nodiscard]] bool push(T&& value, deadline by = deadline::never()) {
    quiet_lock held(mutex_);
    if (shut_) return false;
    if (put(held, value)) return true;
    queue_waiter me(std::addressof(value));
    return wait(held, me, pushers_, by);
  }
  [[nodiscard]] bool push(const T& value, deadline by = deadline::never()) requires std::is_copy_constructible_v<T> {
    return push(T(value), by);
  }
  /// The same, without waiting for a place: false also if it is full.
  [[nodiscard]] bool try_push(T&& value) {
    quiet_lock held(mutex_);
    return !shut_ && put(held, value);
  }
  [[nodiscard]] bool try_push(const T& value) requires std::is_copy_constructible_v<T> { return try_push(T(value)); }

  /// Takes the next value out.
  /// @return the value, or nothing once the queue is shut down and empty, or @p by has passed
  /// @throws cancelled  the calling fiber was cancelled
  [[nodiscard]] std::optional<T> pop(deadline by = deadline::never()) {
    std::optional<T> out;
    quiet_lock held(mutex_);
    if (!get(held, out) && !shut_) {
      queue_waiter me(&out);
      wait(held, me, poppers_, by);
    }
    return out;
  }
  /// The same, without waiting for a value.
  [[nodiscard]] std::optional<T> try_pop() {
    std::optional<T> out;
    quiet_lock held(mutex_);
    get(held, out);
    return out;
  }

  /// A copy of the next value, which stays inside. Who peeks before a value comes sees the first that comes, also if a
  /// `pop` takes it.
  /// @return the copy, or nothing as with `pop`
  /// @throws cancelled  the calling fiber was cancelled; and what copying throws
  [[nodiscard]] std::optional<T> peek(deadline by = deadline::never()) requires std::is_copy_constructible_v<T> {
    quiet_lock held(mutex_);
    if (store_.size() != 0) return store_.next();
    if (shut_) return std::nullopt;
    seen see;
    queue_waiter me(&see);
    wait(held, me, peekers_, by);
    if (see.error) std::rethrow_exception(see.error);
    return std::move(see.value);
  }
  /// The same, without waiting for a value.
  [[nodiscard]] std::optional<T> try_peek() const requires std::is_copy_constructible_v<T> {
    const quiet_lock held(mutex_);
    if (store_.size() == 0) return std::nullopt;
    return store_.next();
  }

  /// Refuses further values and wakes all who wait in `push`, `pop` and `peek`. What is inside can still be taken out, or
  /// is, with @p immediate, destroyed; each value destroyed counts as done for `join`. May be called again, to destroy what
  /// a first call has left.
  void shutdown(bool immediate = false) {
    typename Store::container dropped;  // destroyed once the lock is free
    const quiet_lock held(mutex_);
    shut_ = true;
    for (wait_queue* queue : {&pushers_, &poppers_, &peekers_}) wake_all(*queue);
    watchers_.notify();
    if (!immediate) return;
    count_done(store_.size());
    store_.values().swap(dropped);
  }
  bool closed() const {
    const quiet_lock held(mutex_);
    return shut_;
  }

  /// Says that one value taken out has been dealt with.
  /// @throws std::system_error  (operation_not_permitted) every value put in was reported already; nothing has changed
  void task_done() {
    const quiet_lock held(mutex_);
    if (unfinished_ == 0) throw_not_owner("weft::queue::task_done");
    count_done(1);
  }
  /// Waits until `task_done` was called for every value put in. Values put in meanwhile count too.
  /// @return false if @p by passed first
  /// @throws cancelled  the calling fiber was cancelled
  bool join(deadline by = deadline::never()) {
    quiet_lock held(mutex_);
    if (unfinished_ == 0) return true;
    queue_waiter me(nullptr);
    return wait(held, me, joiners_, by);
  }
  /// Values put in and not reported by `task_done` so far.
  std::size_t unfinished() const {
    const quiet_lock held(mutex_);
    return unfinished_;
  }

  /// Values inside at this moment.
  std::size_t size() const {
    const quiet_lock held(mutex_);
    return store_.size();
  }
  bool empty() const { return size() == 0; }
  bool full() const { return size() >= capacity_; }
  std::size_t capacity() const noexcept { return capacity_; }

  // What a waitable offers: see waitable.hpp.
  /// Whether a `pop` would not wait at this moment: there is a value, or it is shut down.
  bool ready() const {
    const quiet_lock held(mutex_);
    return ready_held();
  }
  void add_waiter(subscription& s) {
    const quiet_lock held(mutex_);
    watchers_.add(s);
    if (ready_held()) s.notify(s);
  }
  void remove_waiter(subscription& s) noexcept {
    const quiet_lock held(mutex_);
    watchers_.remove(s);
  }

  /// Takes values out until the queue is shut down and empty.
  auto begin() { return taking_iterator<T, basic_queue, &basic_queue::pop>(*this); }
  static constexpr std::default_sentinel_t end() noexcept { return {}; }

 protected:
  basic_queue(std::size_t capacity, Store store) : store_(std::move(store)), capacity_(capacity) {
    if (capacity == 0) throw std::invalid_argument("weft::queue: a capacity of 0; a rendezvous is a weft::channel");
  }
  ~basic_queue() {
    if (!pushers_.empty() || !poppers_.empty() || !peekers_.empty() || !joiners_.empty() || !watchers_.empty()) {
      destroyed_in_use("queue", this);
    }
  }

 private:
  struct seen {
    std::optional<T> value;
    std::exception_ptr error;
  };

  bool ready_held() const noexcept { return shut_ || store_.size() != 0 || !pushers_.empty(); }

  // Puts `value` in or hands it to who waits for it. @return whether there was a place for it
  bool put(quiet_lock& held, T& value) {
    if (store_.size() >= capacity_) return false;
    if (!peekers_.empty()) show(value);
    queue_waiter* const popper = static_cast<queue_waiter*>(poppers_.pop_front());
    if (popper != nullptr) {
      static_cast<std::optional<T>*>(popper->slot)->emplace(std::move(value));
    } else {
      store_.push(std::move(value));
      watchers_.notify();
    }
    ++unfinished_;
    if (popper != nullptr) serve(held, *popper);
    return true;
  }

  bool get(quiet_lock& held, std::optional<T>& out) {
    wait_node* const pusher = pushers_.front();
    if (store_.size() != 0) {
      store_.pop(out);
      if (pusher == nullptr || !take_over(*static_cast<T*>(pusher->slot))) return true;
    } else if (pusher != nullptr) {
      out.emplace(std::move(*static_cast<T*>(pusher->slot)));
    } else {
      return false;
    }
    ++unfinished_;
    pushers_.remove(*pusher);
    serve(held, static_cast<queue_waiter&>(*pusher));
    return true;
  }

  // Without memory the pusher waits on: the next `pop` comes back to it.
  bool take_over(T& value) noexcept {
    try {
      store_.push(std::move(value));
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  void show(const T& value) {
    if constexpr (std::is_copy_constructible_v<T>) {
      while (wait_node* const peeker = peekers_.pop_front()) {
        auto& see = *static_cast<seen*>(peeker->slot);
        try {
          see.value.emplace(value);
        } catch (...) {  // its own affair, not the pusher's
          see.error = std::current_exception();
        }
        serve(static_cast<queue_waiter&>(*peeker));
      }
    }
  }

  void count_done(std::size_t count) noexcept {
    unfinished_ -= count < unfinished_ ? count : unfinished_;
    if (unfinished_ != 0) return;
    while (wait_node* const joiner = joiners_.pop_front()) serve(static_cast<queue_waiter&>(*joiner));
  }

  mutable mutex mutex_;
  bool shut_ = false;
  Store store_;
  std::size_t capacity_;
  std::size_t unfinished_ = 0;
  wait_queue pushers_;  // while it is full
  wait_queue poppers_;  // while it is empty
  wait_queue peekers_;
  wait_queue joiners_;
  subscription_list watchers_;
};

}  // namespace detail

/// A queue of work: first in, first out, and it knows when all that was put in is done.
///
/// Use it, or one of its siblings, when somebody has to wait until everything is done, when values leave in another order,
/// or when one looks at a value before it takes it. To hand values from fiber to fiber and no more `channel` is quicker,
/// has a rendezvous, and has a place in line for a `select`.
///
///     weft::queue<url> todo;                                    // or lifo_queue, or priority_queue
///     pool.spawn([&] { for (url& u : todo) { crawl(u, todo); todo.task_done(); } });
///     todo.push(start);
///     todo.join();                                              // everything found was crawled
///     todo.shutdown();
///
/// Blocking  `push` suspends while full, `pop`, `peek` and stepping the iterator while empty, `join` until all is done.
///           Everything may wait for a moment for another who is in a call of the same queue. Only the calling fiber
///           sleeps; on a thread that has no hub the thread itself.
/// Order     Waiters are served first come, first served, and nobody can overtake one that was woken. For `wait` over several
///           objects a queue is ready while a `pop` would not wait; the `on_pop` of a `select` takes one value, and gets
///           what those leave who wait in `pop`.
/// Timeout   A passed deadline still succeeds if no wait is needed.
/// Cancel    `push`, `pop`, `peek` and `join` are cancellation points when they wait. A cancelled `push` left no value
///           behind; a cancelled `pop` took none.
/// Threads   Safe from any fiber of any thread. Construction and destruction need exclusive access. Copying, moving and
///           comparing values happens under the queue's mutex: what does so may wait, but using the same queue there
///           throws std::system_error (resource_deadlock_would_occur).
/// Lifetime  Destroying a queue that somebody waits on is a bug and aborts with the stacks of all fibers.
/// Cost      One lock of a `mutex` each way; memory grows with what is inside.
template <class T>
class queue : public detail::basic_queue<T, detail::fifo_store<T>> {
 public:
  /// @param capacity  values held before `push` suspends
  /// @throws std::invalid_argument  a capacity of 0: a rendezvous is a `channel`
  explicit queue(std::size_t capacity = unbounded) : queue::basic_queue(capacity, {}) {}
};

/// The same, last in, first out.
template <class T>
class lifo_queue : public detail::basic_queue<T, detail::lifo_store<T>> {
 public:
  explicit lifo_queue(std::size_t capacity = unbounded) : lifo_queue::basic_queue(capacity, {}) {}
};

/// The same, the greatest first, as with std::priority_queue; std::greater<> makes it the least. Equal values leave in no
/// particular order. @p Compare may not throw: that ends the program (std::terminate).
template <class T, class Compare = std::less<T>>
class priority_queue : public detail::basic_queue<T, detail::heap_store<T, Compare>> {
 public:
  explicit priority_queue(std::size_t capacity = unbounded, Compare compare = Compare())
      : priority_queue::basic_queue(capacity, detail::heap_store<T, Compare>(std::move(compare))) {}
};

}  // namespace weft
