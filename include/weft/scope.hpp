// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/cancel_scope.hpp"
#include "weft/cancelled.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/member_set.hpp"
#include "weft/detail/spin.hpp"
#include "weft/fiber.hpp"

namespace weft {

class scope;

/// Thrown to who spawns into a scope that is not running.
class scope_closed : public std::logic_error {
 public:
  scope_closed();
  ~scope_closed() override;
};

namespace detail {
/// Called by a child in the handler of what ends it.
void fail_scope(scope& parent) noexcept;

/// What a child calls: tells the scope of a failure before anybody else can know of it.
template <class F>
struct child_call {
  scope* parent;
  F function;

  template <class... Args>
  requires std::invocable<F, Args...>
  decltype(auto) operator()(Args&&... args) && {
    try {
      return std::invoke(std::move(function), std::forward<Args>(args)...);
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      fail_scope(*parent);
      throw;
    }
  }
};
}  // namespace detail

/// A block of code whose fibers end before it does: structured concurrency, as trio's nurseries and curio's or asyncio's
/// task groups.
///
/// For fibers that are joined or killed together but may fail each for itself take a `group`; to end a block without children
/// from outside a `cancel_scope`.
///
///     weft::scope all(5s);
///     bool in_time = all.run([&] {
///       for (auto& url : urls) all.spawn(fetch, url);   // fetch may spawn into it too
///     });                                               // here they have all ended
///
///     all.run([&] {                                     // the first one to finish ends the others
///       std::vector tries{all.spawn(ask, primary), all.spawn(ask, mirror)};
///       answer = weft::wait(tries, 1).front()->get();
///       all.cancel();
///     });
///
/// A failure, in a child or in the block itself, cancels the children and the block; `run` waits until all have ended and
/// throws the first one. The others are in `failures`; those that nobody looks for there are reported (failure.hpp). A child
/// that was cancelled or plainly killed has not failed; one that was killed with an exception of choice has, by that exception,
/// even if it had not begun. What would cancel the calling fiber (a kill, a timeout or scope further out) while the block or the wait for its
/// children runs cancels the children first, and then goes on its way.
///
/// Blocking  `run`, until its function has returned and all children have ended, however long they take to clean up.
/// Timeout   Behind the deadline children and block are cancelled, and `run` says false.
/// Cancel    As cancel_scope: each child, and the block, is thrown one `cancelled`; who catches it and goes on is waited for.
///           A child that has not begun, or is spawned behind that, never runs. With `shielding::on` nothing from further
///           out cancels the block or its children's wait.
/// Threads   `run` and `set_deadline` on one fiber; `spawn`, `cancel`, `size` from anywhere while it runs.
/// Lifetime  Outlives its `run`, or aborts; may run again behind it. Two at once abort.
/// Cost      A small allocation for each child.
class scope {
 public:
  explicit scope(deadline by = deadline::never(), shielding shield = shielding::off) noexcept;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  ~scope();

  /// Calls @p function, and waits for all children.
  /// @return false if `cancel` or the deadline has ended it
  /// @throws the first failure; what cancels the caller
  template <class F>
  bool run(F&& function) {
    cancel_scope block(by_, shield_);
    open(block);
    bool whole = false;
    std::exception_ptr left;
    try {
      whole = block.run([&] {
        std::invoke(std::forward<F>(function));
        wait_for_children();
      });
    } catch (...) {
      left = std::current_exception();
    }
    return close(whole, left);
  }

  /// As weft::spawn, and the fiber is a child. Its result may be asked for as that of any other, while the scope runs or later.
  /// @throws scope_closed  it does not run
  /// @throws what weft::spawn throws
  template <class F, class... Args>
  auto spawn(const fiber_attributes& attributes, F&& function, Args&&... args) {
    detail::member_set::place place(children_);
    if (!place) throw scope_closed();
    auto made = weft::spawn(attributes, detail::child_call<std::decay_t<F>>{this, std::forward<F>(function)},
                            std::forward<Args>(args)...);
    place.take(made, /*is_new=*/true);
    return made;
  }
  template <class F, class... Args>
  requires(!std::is_convertible_v<F, const fiber_attributes&>) auto spawn(F&& function, Args&&... args) {
    return spawn(fiber_attributes{}, std::forward<F>(function), std::forward<Args>(args)...);
  }

  /// Ends the block and its children. Never suspends; may be called twice, and by a child. Nothing happens if it does not run.
  void cancel() noexcept;

  /// Another deadline, of the running block or the next ones.
  void set_deadline(deadline by) noexcept;
  deadline get_deadline() const noexcept { return by_; }

  /// Children at this moment; each may end at any time.
  std::size_t size() const noexcept { return children_.size(); }
  /// All failures of the last `run`, the first one first. Behind that `run`.
  std::vector<std::exception_ptr> failures() const;

 private:
  friend void detail::fail_scope(scope&) noexcept;

  void open(cancel_scope& block) noexcept;
  void wait_for_children();
  bool close(bool whole, const std::exception_ptr& left);
  static void child_failed(void* me, core::fiber* child) noexcept;
  bool note_failure(core::fiber* child, const std::exception_ptr& failure) noexcept;
  void cancel_block() noexcept;

  deadline by_;
  const shielding shield_;
  detail::member_set children_;
  detail::spinlock lock_;          // of what follows
  cancel_scope* block_ = nullptr;  // while the block runs, and the wait behind it
  bool running_ = false;
  bool cut_short_ = false;  // by `cancel`, while there were children to end
  std::exception_ptr first_;
  core::fiber* first_from_ = nullptr;  // null: the block
  std::exception_ptr from_block_;      // if that was not the first
};

}  // namespace weft
