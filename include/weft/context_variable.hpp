// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <utility>

#include "weft/detail/context_node.hpp"
#include "weft/detail/storage_key.hpp"

namespace weft {

/// A variable that is set for a block, all it calls, and all fibers that are spawned in it: Python's ContextVar.
///
/// For what belongs to a piece of work and not to a function: the request's number for the log, the user, the trace. A
/// `local` belongs to one fiber alone and is not handed on.
///
///     weft::context_variable<std::string> request("-");   // a global
///     {
///       auto set = request.set("42");
///       weft::spawn(handle);                               // it, and those it spawns, see "42"
///     }                                                    // here it is "-" again; in those fibers it stays "42"
///
/// Threads   `get` and `set` act on the calling fiber's (or thread's) context. A value is seen by several fibers, on several hubs:
///           it does not change, and what const calls of it do must be safe there.
/// Lifetime  A value lives until no fiber and no snapshot has it; the last one that lets go destroys it. Settings end in the
///           reverse order of their beginning, on their own fiber; otherwise it aborts. A variable that is no global may go
///           before its settings: these, and snapshots, keep their values.
/// Cost      `set`: an allocation. `get`: a look at each setting that stands, the newest first. `spawn`: a pointer and a count.
template <class T>
class context_variable {
  struct node : detail::context_node {
    explicit node(T v) : value(std::move(v)) {}
    const T value;
  };

 public:
  using value_type = T;

  constexpr context_variable() requires std::default_initializable<T> : initial_() {}
  constexpr explicit context_variable(T initial) : initial_(std::move(initial)) {}
  context_variable(const context_variable&) = delete;
  context_variable& operator=(const context_variable&) = delete;

  /// The value set last in this context; the initial one if none is. Good while that setting stands.
  const T& get() const noexcept {
    const detail::context_node* const found = detail::find_context(key_.number());
    return found == nullptr ? initial_ : static_cast<const node*>(found)->value;
  }
  const T& operator*() const noexcept { return get(); }
  const T* operator->() const noexcept { return &get(); }

  /// The setting stands as long as this lives: a local variable of the block.
  class [[nodiscard]] setting {
   public:
    setting(const setting&) = delete;
    setting& operator=(const setting&) = delete;
    ~setting() { detail::leave_context(set_); }

   private:
    friend context_variable;
    explicit setting(node* set) noexcept : set_(set) { set->outer = detail::exchange_context(set); }
    node* set_;
  };
  /// @throws std::bad_alloc
  setting set(T value) const {
    auto* const made = new node(std::move(value));
    made->key = key_.number();
    made->destroy = [](detail::context_node* n) noexcept { delete static_cast<node*>(n); };
    return setting(made);
  }

 private:
  detail::storage_key key_;
  const T initial_;
};

}  // namespace weft
