// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "weft/detail/fiber_block.hpp"

namespace weft {

class fiber;

namespace detail {

enum class link_when : unsigned char { ended, successful, failed };

/// A link of a fiber's end: the body of a fiber that is made with the link, and launched when the other one has ended.
struct link_body : subscription {
  core::fiber* target = nullptr;  // referred to
  core::fiber* own = nullptr;
  link_when when{};
  void (*drop)(link_body&) noexcept = nullptr;
};

/// Whether the link is to be called, now that its target has ended.
bool wants_call(const link_body& l) noexcept;
/// Puts @p l among those who wait for the end. @return its number
std::uint64_t arm_link(link_body& l) noexcept;
bool unlink_fiber(core::fiber* f, std::uint64_t which) noexcept;

template <class F>
struct link_call : link_body {
  template <class From>
  link_call(std::in_place_t, From&& from) : function(std::forward<From>(from)) {}

  F function;
};

// A template of the handle's class too, which is incomplete here.
template <class Fiber, class F>
std::uint64_t link_fiber(const Fiber& to, F&& function, link_when when) {
  using call = link_call<std::decay_t<F>>;
  static_assert(std::invocable<std::decay_t<F>&, const Fiber&>, "a link is called with a const weft::fiber&");
  if (!to.joinable()) return 0;
  void* storage = nullptr;
  core::fiber* const own = allocate_fiber(
      sizeof(call), alignof(call), &storage,
      [](void* at) noexcept {
        auto* const l = static_cast<call*>(at);
        const Fiber target(l->target);
        if (wants_call(*l)) std::invoke(l->function, target);
        std::destroy_at(l);
      },
      hub::current().get());
  call* l = nullptr;
  try {
    l = new (storage) call(std::in_place, std::forward<F>(function));
  } catch (...) {
    discard_fiber(own);
    throw;
  }
  l->own = own;
  l->target = to.block();
  l->when = when;
  l->drop = [](link_body& body) noexcept { std::destroy_at(static_cast<call*>(&body)); };
  retain_fiber(l->target);
  return arm_link(*l);
}

}  // namespace detail
}  // namespace weft
