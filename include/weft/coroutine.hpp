// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/deadline.hpp"
#include "weft/detail/continuation.hpp"
#include "weft/future.hpp"

// Futures and C++20 coroutines. A coroutine is not a fiber: inside one, what waits by `co_await` suspends the coroutine, and
// what blocks as everywhere in Weft suspends the fiber that runs it.
//
//     weft::future<int> twice(weft::future<int> f) { co_return 2 * co_await std::move(f); }   // a coroutine of ours
//     auto page = weft::await(other_library::get(url));                                      // any awaitable, in a fiber
//
// Blocking  `await` suspends the calling fiber; `co_await` the coroutine alone.
// Order     A coroutine that waits for a future goes on in a fiber of its own, on the hub of the thread where it began
//           to wait, and in the order in which continuations start.
// Timeout   `await` with a deadline gives nothing (false for void) if it passed first; a reference as std::reference_wrapper.
// Cancel    `await` is a cancellation point. An awaitable that nobody waits for any more is finished all the same, since no
//           coroutine can be taken away from whoever will resume it: it lives until then, if it was moved in.
// Threads   From any. A thread without a hub gets one, and its coroutines go on when that thread waits.

namespace weft {

namespace detail {

// Resumes a coroutine when a future is ready: on a fiber, since what it does then may block.
struct resumption : subscription {
  explicit resumption(std::coroutine_handle<> waiting) : handle(waiting) {
    notify = [](subscription& me) noexcept { static_cast<resumption&>(me).start.open(); };
  }
  void operator()() const { handle.resume(); }
  gate start{1};
  std::coroutine_handle<> handle;
};

// One `co_await` of a future. @tparam Future  future or shared_future, or a reference to one
template <class Future>
struct future_awaiter {
  Future waited;
  bool await_ready() const { return waited.state().checked()->ready(); }
  void await_suspend(std::coroutine_handle<> waiting) {
    // The coroutine may go on, and this end, as soon as it is subscribed.
    const state_ptr<future_state> state = waited.state();
    state->subscribe(make_deferred<resumption>(waiting));
  }
  decltype(auto) await_resume() { return waited.get(); }
};

}  // namespace detail

/// Takes the result: `co_await std::move(f)`. As `get`, with its exceptions.
template <class T>
auto operator co_await(future<T>&& f) {
  return detail::future_awaiter<future<T>>{std::move(f)};
}
template <class T>
auto operator co_await(const shared_future<T>& f) {
  return detail::future_awaiter<shared_future<T>>{f};
}

namespace detail {

template <class T>
struct future_promise_base {
  promise<T> result;
  future<T> get_return_object() { return result.get_future(); }
  // It begins at once, on the stack of its caller, and nothing is left of it when it has ended.
  std::suspend_never initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void unhandled_exception() { result.set_exception(failure_to_report()); }
};
template <class T>
struct future_promise : future_promise_base<T> {
  template <class From>
  void return_value(From&& value) {
    this->result.set_value(std::forward<From>(value));
  }
};
template <>
struct future_promise<void> : future_promise_base<void> {
  void return_void() { result.set_value(); }
};

template <class Awaitable>
decltype(auto) awaiter_of(Awaitable&& awaitable) {
  if constexpr (requires { std::forward<Awaitable>(awaitable).operator co_await(); }) {
    return std::forward<Awaitable>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<Awaitable>(awaitable)); }) {
    return operator co_await(std::forward<Awaitable>(awaitable));
  } else {
    return std::forward<Awaitable>(awaitable);
  }
}
// A reference into an awaitable that was moved in would go with it: such a result is copied.
template <class Awaitable, class Result = decltype(awaiter_of(std::declval<Awaitable>()).await_resume())>
using await_result = std::conditional_t<std::is_lvalue_reference_v<Awaitable>, Result, std::remove_cvref_t<Result>>;

}  // namespace detail
}  // namespace weft

/// A function that returns a future can be a coroutine.
template <class T, class... Args>
struct std::coroutine_traits<weft::future<T>, Args...> {
  using promise_type = weft::detail::future_promise<T>;
};

namespace weft {

namespace detail {
template <class Awaitable>
future<await_result<Awaitable>> drive(Awaitable awaitable) {
  co_return co_await std::forward<Awaitable>(awaitable);
}
}  // namespace detail

/// Waits in a fiber for what a coroutine would `co_await`. An rvalue is moved in; an lvalue must live until it is finished.
/// @return what the `co_await` gives
template <class Awaitable>
auto await(Awaitable&& awaitable) -> detail::await_result<Awaitable> {
  return detail::drive<Awaitable>(std::forward<Awaitable>(awaitable)).get();
}
template <class Awaitable>
auto await(Awaitable&& awaitable, deadline by) {
  auto result = detail::drive<Awaitable>(std::forward<Awaitable>(awaitable));
  return detail::get_if(result.wait(by), result);
}

}  // namespace weft
