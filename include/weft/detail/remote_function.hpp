// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/codec.hpp"

namespace weft::detail {

/// A function that a worker process can be asked to call. Those of a program register when it starts, before main: so a
/// worker, which is the same program started again, has the same ones in the same order.
struct remote_function {
  remote_function(const char* function_name, void (*function)(decoder&, encoder&)) noexcept;

  const char* name;
  void (*call)(decoder& arguments, encoder& result);
  remote_function* next;
  std::uint32_t index;
};

template <class F>
struct signature;
template <class R, class... P>
struct signature<R (*)(P...)> {
  using result = R;
  using arguments = std::tuple<std::decay_t<P>...>;
};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : signature<R (*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const> : signature<R (*)(P...)> {};
template <class C, class R, class... P>
struct signature<R (C::*)(P...) const noexcept> : signature<R (*)(P...)> {};
template <class F>
requires requires { &F::operator(); }
struct signature<F> : signature<decltype(&F::operator())> {};

/// @tparam F  a function, or a lambda without captures
template <auto F>
struct remote {
  using type = signature<std::remove_const_t<decltype(F)>>;
  using result = typename type::result;
  using arguments = typename type::arguments;
  static_assert(!std::is_reference_v<result>, "a reference means nothing in another process");

  static void call(decoder& from, encoder& to) {
    auto values = from.get<arguments>();
    if constexpr (std::is_void_v<result>) {
      std::apply([](auto&... value) { F(std::move(value)...); }, values);
    } else {
      to.put<result>(std::apply([](auto&... value) -> result { return F(std::move(value)...); }, values));
    }
  }
  // The compiler's name for this very instance.
  static const char* name() noexcept { return __PRETTY_FUNCTION__; }
  static inline const remote_function entry{name(), call};
};

}  // namespace weft::detail
