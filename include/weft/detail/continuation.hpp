// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>

#include "weft/detail/future_state.hpp"
#include "weft/fiber.hpp"

namespace weft {

template <class T>
class future;

namespace detail {

/// A fiber that is made now, on the caller's hub, and starts when its gate has been opened so many times: what is to be
/// done after an event costs a closure until then, and no stack. Opening never blocks or allocates, and may be done
/// from any thread.
class gate {
 public:
  explicit gate(std::size_t times) noexcept : closed_(times) {}
  /// The last opening may end the life of the gate at once.
  void open() noexcept {
    if (closed_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    core::fiber* const block = block_;
    launch_light(block, {.name = "then"});
    release_fiber(block);
  }

 private:
  template <class Body, class... From>
  friend Body& make_deferred(From&&... from);
  std::atomic<std::size_t> closed_;
  core::fiber* block_ = nullptr;
};

/// Makes a fiber whose closure is a Body, which has a member `gate start` and is called once; that does not throw.
template <class Body, class... From>
Body& make_deferred(From&&... from) {
  void* storage = nullptr;
  core::fiber* const block = allocate_fiber(sizeof(Body), alignof(Body), &storage, [](void* at) noexcept {
    auto* body = static_cast<Body*>(at);
    (*body)();
    std::destroy_at(body);
  });
  try {
    auto* body = new (storage) Body(std::forward<From>(from)...);
    body->start.block_ = block;
    return *body;
  } catch (...) {
    discard_fiber(block);
    throw;
  }
}

template <class T>
struct unwrapped {
  using type = T;
};
template <class T>
struct unwrapped<future<T>> {
  using type = T;
};
template <class Future, class F>
using continuation_result = typename unwrapped<std::invoke_result_t<std::decay_t<F>, Future>>::type;

/// Calls @p function with @p source, which is ready; waits for the future that it may return.
template <class F, class Future>
decltype(auto) call_continuation(F& function, Future&& source) {
  using returned = std::invoke_result_t<F, Future>;
  if constexpr (!std::is_same_v<typename unwrapped<returned>::type, returned>) {
    return std::invoke(std::move(function), std::forward<Future>(source)).get();
  } else {
    return std::invoke(std::move(function), std::forward<Future>(source));
  }
}

template <class Result, class Future, class F>
struct continuation : subscription {
  continuation(Future&& from, F&& call, const state_ptr<future_value<Result>>& to)
      : source(std::move(from)), function(std::forward<F>(call)), result(to) {
    notify = [](subscription& me) noexcept { static_cast<continuation&>(me).start.open(); };
  }
  void operator()() {
    if (!result->claim()) return;  // cancelled meanwhile
    result->fill_from([this]() -> decltype(auto) { return call_continuation(function, std::move(source)); }, [] {});
  }
  gate start{1};
  Future source;
  std::decay_t<F> function;
  state_ptr<future_value<Result>> result;
};

template <class Future, class F>
auto continue_with(Future source, F&& function) {
  using result = continuation_result<Future, F>;
  state_ptr<future_value<result>> state(new future_value<result>(/*is_task=*/true));
  auto& body = make_deferred<continuation<result, Future, F>>(std::move(source), std::forward<F>(function), state);
  body.source.add_waiter(body);
  return future<result>(std::move(state));
}

}  // namespace detail
}  // namespace weft
