// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/detail/fiber_block.hpp"

namespace weft::detail {

template <class T>
struct task_result {
  using stored = T;
};
template <class T>
struct task_result<T&> {
  using stored = T*;
};
template <>
struct task_result<void> {
  struct stored {};
};

/// What a spawned fiber calls, and then what it has given. The result comes first: the handle knows its type alone.
template <class F, class... Args>
class task_body {
 public:
  static constexpr bool takes_token = std::is_invocable_v<F, std::stop_token, Args...>;
  static_assert(takes_token || std::is_invocable_v<F, Args...>,
                "spawn: the function cannot be called with these arguments");
  using result_type = typename std::conditional_t<takes_token, std::invoke_result<F, std::stop_token, Args...>,
                                                  std::invoke_result<F, Args...>>::type;

  template <class... From>
  explicit task_body(From&&... from) : call(std::forward<From>(from)...) {}
  task_body(const task_body&) = delete;
  task_body& operator=(const task_body&) = delete;
  ~task_body() {}  // what is in the unions is destroyed by hand

  void attach(core::fiber* f) noexcept {
    fiber_ = f;
    if constexpr (takes_token) {
      notify_of_kill(f, [](void* at) noexcept { static_cast<task_body*>(at)->stop.request_stop(); });
    }
    if constexpr (takes_token || !std::is_trivially_destructible_v<stored>) settle_with(f, settle);
  }

  static void run(void* at) noexcept {
    auto& me = *static_cast<task_body*>(at);
    if (!killed_before_start(me.fiber_)) me.call_and_keep();
    std::destroy_at(&me.call);
  }

 private:
  using stored = typename task_result<result_type>::stored;
  struct none {};

  void call_and_keep() noexcept {
    try {
      if constexpr (std::is_void_v<result_type>) {
        apply();
      } else if constexpr (std::is_reference_v<result_type>) {
        result = std::addressof(apply());
      } else {
        new (&result) stored(apply());
      }
      given_ = true;
    } catch (const cancelled&) {
      end_cancelled(fiber_);
    } catch (...) {
      end_failed(fiber_, std::current_exception());
    }
  }
  decltype(auto) apply() {
    return std::apply(
        [&](auto& f, auto&... args) -> result_type {
          if constexpr (takes_token) {
            return std::invoke(std::move(f), stop.get_token(), std::move(args)...);
          } else {
            return std::invoke(std::move(f), std::move(args)...);
          }
        },
        call);
  }
  static void settle(void* at) noexcept {
    auto& me = *static_cast<task_body*>(at);
    if (me.given_) std::destroy_at(&me.result);
    std::destroy_at(&me.stop);
  }

  union {
    stored result;
  };
  union {
    std::tuple<F, Args...> call;
  };
  core::fiber* fiber_ = nullptr;
  union {
    std::conditional_t<takes_token, std::stop_source, none> stop{};
  };
  bool given_ = false;
};

template <class Body, class... From>
core::fiber* spawn_body(const fiber_attributes& attributes, From&&... from) {
  void* storage = nullptr;
  core::fiber* const f = allocate_fiber(sizeof(Body), alignof(Body), &storage, Body::run, attributes.on.get());
  try {
    (new (storage) Body(std::forward<From>(from)...))->attach(f);
  } catch (...) {
    discard_fiber(f);
    throw;
  }
  launch_fiber(f, attributes);
  return f;
}

}  // namespace weft::detail
