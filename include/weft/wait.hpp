// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <vector>

#include "weft/deadline.hpp"
#include "weft/detail/completions.hpp"
#include "weft/task.hpp"
#include "weft/waitable.hpp"

namespace weft {

/// Refers to something that can be waited for, of whatever type: for waiting for several of different types.
///
///     weft::waitable_ref all[] = {reader, stop, answer};  // a fiber, an event, a future
///     weft::wait(all, 1);
///
/// Lifetime  As a reference: what it refers to outlives it.
class waitable_ref {
 public:
  template <waitable T>
  requires(!std::same_as<std::remove_const_t<T>, waitable_ref>)
      // Not explicit: it stands for a reference.
      // NOLINTNEXTLINE(google-explicit-constructor)
      waitable_ref(T& object)
  noexcept : object_(const_cast<void*>(static_cast<const void*>(std::addressof(object)))), calls_(&calls_of<T>) {}

  bool ready() const { return calls_->ready(object_); }
  void add_waiter(detail::subscription& s) const { calls_->add(object_, s); }
  void remove_waiter(detail::subscription& s) const noexcept { calls_->remove(object_, s); }

  /// Whether it refers to @p object.
  template <class T>
  bool is(const T& object) const noexcept {
    return object_ == std::addressof(object);
  }

 private:
  struct calls {
    bool (*ready)(const void*);
    void (*add)(void*, detail::subscription&);
    void (*remove)(void*, detail::subscription&) noexcept;
  };
  template <class T>
  static constexpr calls calls_of = {
      [](const void* at) -> bool { return static_cast<const T*>(at)->ready(); },
      [](void* at, detail::subscription& s) { static_cast<T*>(at)->add_waiter(s); },
      [](void* at, detail::subscription& s) noexcept { static_cast<T*>(at)->remove_waiter(s); }};

  void* object_;
  const calls* calls_;
};

/// A range of things that can be waited for: a std::vector of fibers, an array of `waitable_ref`s.
template <class R>
concept waitable_range =
    std::ranges::forward_range<R> && waitable<std::remove_reference_t<std::ranges::range_reference_t<R>>>;

/// The objects of a range as they become ready, each once: a range that is made while it is read.
///
/// For their results in the order of the range simply `get` them one after the other; for the first only, take `wait`
/// or `select`.
///
///     for (weft::task<page>& t : weft::wait_each(tasks, 10s)) show(t.get());  // ends after 10 s at the latest
///
/// Blocking  Each step of the loop, until the next is ready.
/// Order     That of becoming ready; those that are ready at the start come first, as they stand in the range. What stands
///           there twice is given twice; of an empty range there is nothing to wait for. A handle of no fiber is never ready. A
///           second loop goes on behind the first one.
/// Timeout   The deadline is for the whole: the loop ends there.
/// Cancel    Each step is a cancellation point.
/// Threads   For one fiber at a time; the objects may belong to any hub.
/// Lifetime  The objects stay where they are, and live, as long as this. What was not given is unsubscribed at the end.
/// Cost      One allocation, and 80 bytes for each object.
template <waitable_range R>
class wait_each {
  using object = std::remove_reference_t<std::ranges::range_reference_t<R>>;
  struct entry : detail::completion {
    object* of = nullptr;
    bool given = false;
  };

 public:
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::remove_const_t<object>;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(wait_each* all) : all_(all), found_(all->next()) {}
    object& operator*() const noexcept { return *found_; }
    object* operator->() const noexcept { return found_; }
    iterator& operator++() {
      found_ = all_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return i.found_ == nullptr; }

   private:
    wait_each* all_ = nullptr;
    object* found_ = nullptr;
  };

  /// @throws std::bad_alloc, and what an object throws that cannot be waited for (a future without a promise): it then has
  ///         left all others
  explicit wait_each(R& objects, deadline by = deadline::never())
      : by_(by),
        count_(static_cast<std::size_t>(std::ranges::distance(objects))),
        left_(count_),
        entries_(std::make_unique<entry[]>(count_)) {
    entry* e = entries_.get();
    try {
      for (object& each : objects) {
        e->of = std::addressof(each);
        ready_.prepare(*e);
        e->of->add_waiter(*e);
        ++e;
      }
    } catch (...) {
      unsubscribe(e);
      throw;
    }
  }
  wait_each(const wait_each&) = delete;
  wait_each& operator=(const wait_each&) = delete;
  ~wait_each() { unsubscribe(entries_.get() + count_); }

  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// The next that is ready; nullptr when all were given or the deadline has passed.
  object* next() {
    while (left_ > 0) {
      auto* const e = static_cast<entry*>(ready_.next(by_));
      if (e == nullptr) return nullptr;
      if (e->given) continue;
      ready_.again(*e);
      if (!e->of->ready()) continue;
      e->given = true;
      e->of->remove_waiter(*e);
      --left_;
      return e->of;
    }
    return nullptr;
  }

 private:
  // What was not given, of those before @p end.
  void unsubscribe(const entry* end) noexcept {
    for (entry* e = entries_.get(); e != end; ++e) {
      if (!e->given) e->of->remove_waiter(*e);
    }
  }

  deadline by_;
  std::size_t count_;
  std::size_t left_;
  detail::completions ready_;
  std::unique_ptr<entry[]> entries_;
};

/// Waits until @p count of @p objects (or all, if they are fewer) are ready, or @p by has passed.
/// @return those that are, in the order in which they became it; of @p count 0 none, without waiting
/// @throws  as wait_each
template <waitable_range R>
auto wait(R& objects, std::size_t count, deadline by = deadline::never()) {
  std::vector<std::remove_reference_t<std::ranges::range_reference_t<R>>*> found;
  wait_each<R> each(objects, by);
  while (found.size() < count) {
    auto* const next = each.next();
    if (next == nullptr) break;
    found.push_back(next);
  }
  return found;
}
/// The same for all of them.
template <waitable_range R>
auto wait(R& objects, deadline by = deadline::never()) {
  return weft::wait(objects, static_cast<std::size_t>(-1), by);
}

/// A range of handles: fibers or tasks.
template <class R>
concept fiber_range = std::ranges::input_range<R> && std::derived_from<std::ranges::range_value_t<R>, fiber>;

/// Waits for the end of all @p fibers. For their failures `get` each, or take `wait_each` or a `scope`.
/// @return false if @p by passed first, or one is a handle of no fiber or the caller's own; the others have been waited for
template <fiber_range R>
bool join_all(R&& fibers, deadline by = deadline::never()) {
  bool all = true;
  for (const fiber& f : fibers) all = f.join(by) && all;
  return all;
}
inline bool join_all(std::initializer_list<fiber> fibers, deadline by = deadline::never()) {
  return join_all<std::initializer_list<fiber>&>(fibers, by);
}

/// Kills all @p fibers, with @p with (null: `cancelled`), then waits for their end. Those that have not begun never run.
/// A caller that is among them meets it at its next suspension point, which is here if it has to wait for another.
/// @return false if @p by passed first, or one is a handle of no fiber or the caller's own
template <fiber_range R>
bool kill_all(R&& fibers, const std::exception_ptr& with, deadline by = deadline::never()) {
  for (const fiber& f : fibers) f.request_kill(with);
  return join_all(fibers, by);
}
template <fiber_range R>
bool kill_all(R&& fibers, deadline by = deadline::never()) {
  return kill_all(fibers, nullptr, by);
}

}  // namespace weft
