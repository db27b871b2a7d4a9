// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/completions.hpp"
#include "weft/detail/element_source.hpp"
#include "weft/detail/spin.hpp"
#include "weft/fiber.hpp"
#include "weft/map_results.hpp"
#include "weft/semaphore.hpp"
#include "weft/shield.hpp"

namespace weft {

/// The results of `imap` and `imap_unordered` of a group or pool: a range that is read once.
///
///     for (page& p : pool.imap(fetch, urls)) show(p);         // in the order of the urls
///     auto pages = pool.imap_unordered(fetch, urls, 10);      // as they come, at most 10 unread
///     while (auto p = pages.next(100ms)) ...;
///
/// A fiber of its own takes the elements and spawns for them, so that a range that waits (a channel) or a pool that is full
/// does not hold up results that are there. An element's exception is thrown where its result would have been read;
/// reading can go on behind it. What the range itself throws comes at the end. A void function gives std::monostate, one that
/// returns a reference a std::reference_wrapper.
///
/// Blocking  `next`, the loop and `kill`. Not the making.
/// Order     Elements are begun in their order. `imap_unordered` gives results as they become ready.
/// Timeout   `next` gives nothing; `done()` tells that from the end. `kill` says false, and may be called again.
/// Cancel    A cancellation point, but for `kill`. A cancelled read took nothing.
/// Threads   For one fiber at a time.
/// Lifetime  Destroyed early it takes no further elements, for which it may have to wait for the range; what has begun goes on
///           (`kill` ends that too). An lvalue range must live as long; any other is moved in, and its elements are moved out.
template <class Pool, class F, class Range>
class imap_results
    : public detail::result_range<imap_results<Pool, F, Range>,
                                  detail::map_value<typename Pool::template result_of<F, detail::element_of<Range>>>> {
 public:
  using result = typename Pool::template result_of<F, detail::element_of<Range>>;
  using value_type = detail::map_value<result>;

  imap_results(Pool& pool, F function, Range&& range, std::size_t max_unread, bool ordered)
      : pool_(pool),
        function_(std::move(function)),
        elements_(std::forward<Range>(range)),
        ordered_(ordered),
        bounded_(max_unread != 0),
        room_(static_cast<std::ptrdiff_t>(max_unread)) {
    reports_.prepare(end_);
    feeder_ = weft::spawn({.name = "imap", .on = hub::current()}, [this] { feed(); });
  }
  ~imap_results() {
    const shield until_stopped;
    feeder_.kill();
    for (entry& each : unread_) each.asked.remove_waiter(each);
  }

  /// The next result; nothing at the end, or if @p by passed first.
  std::optional<value_type> next(deadline by = deadline::never()) {
    for (;;) {
      if (next_ != nullptr) {
        if (!next_->asked.join(by)) return std::nullopt;
        return take();
      }
      if (at_end_ && (ordered_ || count() == 0)) {
        if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
        return std::nullopt;
      }
      detail::completion* const report = reports_.next(by);
      if (report == nullptr) return std::nullopt;
      if (report == &end_) {
        at_end_ = true;
      } else {
        next_ = static_cast<entry*>(report);
      }
    }
  }
  /// Whether `next` has come to the end.
  bool done() const { return at_end_ && next_ == nullptr && failure_ == nullptr && count() == 0; }

  /// Takes no further elements, kills the fibers of those that have begun and are not read, and waits for them. `next` then
  /// gives what each of those has come to, `task_cancelled` for one that was killed, and then the end.
  /// @return false if @p by passed first: all that have begun have been asked to end
  bool kill(deadline by = deadline::never()) noexcept {
    const shield until_ended;
    feeder_.request_kill();
    // First: what ends makes room for another one.
    const bool fed = feeder_.join(by);
    request_kill_of_all();
    if (!fed) return false;
    reports_.announce(end_);  // a feeder that was killed has not; for one that had it changes nothing
    for (const entry& each : unread_) {
      if (!each.asked.join(by)) return false;
      static_cast<void>(each.asked.exception());  // nobody will read it
    }
    return true;
  }

 private:
  struct entry : detail::completion {
    task<result> asked;
    typename std::list<entry>::iterator place;
  };

  // On a fiber of its own.
  void feed() {
    try {
      elements_.begin();
      while (!elements_.empty()) {
        if (bounded_) room_.acquire();
        elements_.give([this](auto&& e) { this->begin_one(std::forward<decltype(e)>(e)); });
      }
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      failure_ = std::current_exception();
    }
    reports_.announce(end_);
  }
  template <class E>
  void begin_one(E&& e) {
    std::list<entry> one(1);
    entry& added = one.front();
    added.place = one.begin();
    reports_.prepare(added);
    added.asked = pool_.spawn(function_, std::forward<E>(e));
    {
      const std::lock_guard guard(lock_);
      unread_.splice(unread_.end(), one);
    }
    // In order they are reported when they are begun, else when they are ready.
    if (ordered_) {
      reports_.announce(added);
    } else {
      added.asked.add_waiter(added);
    }
  }
  std::size_t count() const {
    const std::lock_guard guard(lock_);
    return unread_.size();
  }
  // The feeder may add some meanwhile; none but this fiber takes any out.
  void request_kill_of_all() noexcept {
    std::unique_lock guard(lock_);
    for (auto each = unread_.begin(); each != unread_.end(); ++each) {
      guard.unlock();
      each->asked.request_kill();  // not under a spinlock: it destroys what one that has not begun was given
      guard.lock();
    }
  }
  std::optional<value_type> take() {
    std::list<entry> one;
    {
      const std::lock_guard guard(lock_);
      one.splice(one.begin(), unread_, std::exchange(next_, nullptr)->place);
    }
    if (bounded_) room_.release();
    return detail::take_value(one.front().asked);
  }

  Pool& pool_;
  F function_;
  detail::element_source<Range> elements_;
  const bool ordered_;
  const bool bounded_;
  counting_semaphore<> room_;
  std::exception_ptr failure_;
  mutable detail::spinlock lock_;
  std::list<entry> unread_;
  detail::completions reports_;
  detail::completion end_;
  entry* next_ = nullptr;
  bool at_end_ = false;
  fiber feeder_;
};

}  // namespace weft
