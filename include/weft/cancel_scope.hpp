// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/deadline.hpp"
#include "weft/detail/cancel_record.hpp"

namespace weft {

/// Whether a cancel scope hides what would cancel it from further out.
enum class shielding : bool { off, on };

/// A block that can be ended from outside, by any thread, or at a deadline that may be moved.
///
/// For a plain limit of time take `timeout`, to end a whole fiber `kill`, for a block with children a `scope`.
///
///     weft::cancel_scope search;
///     on_click([&] { search.cancel(); });
///     if (!search.run([&] { look_everywhere(); })) say("stopped");
///
/// Blocking  `run`, as its function does.
/// Cancel    The function leaves by `cancelled`, thrown once, at its next suspension point; `run` catches that one alone. So
///           who catches it inside may go on, unlike in trio. A scope that was cancelled before `run` cancels at once.
/// Threads   `run` and `set_deadline` on one fiber; `cancel` and `cancel_requested` anywhere, while the scope lives.
/// Cost      A few stores to enter and leave.
class cancel_scope {
 public:
  explicit cancel_scope(deadline by = deadline::never(), shielding shield = shielding::off) noexcept
      : record_(*this, shield == shielding::on), by_(by) {}
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  /// Calls @p function as the block. A scope runs one block at a time: a second one inside aborts.
  /// @return false if this scope's cancellation ended it
  /// @throws what the function throws otherwise; std::system_error, if the thread's hub cannot be made
  template <class F>
  bool run(F&& function) {
    const detail::entered_record inside(record_, by_);
    try {
      std::invoke(std::forward<F>(function));
      return true;
    } catch (const thrown& t) {
      if (t.by != this) throw;
    }
    return false;
  }

  /// Ends the block, or the next one. Never suspends; may be called twice.
  void cancel() noexcept { record_.request(); }
  /// Whether a cancel has not been thrown yet.
  bool cancel_requested() const noexcept { return record_.requested(); }

  /// Another deadline, of the running block or the next ones.
  void set_deadline(deadline by) noexcept {
    by_ = by;
    if (record_.entered()) record_.set_deadline(by);
  }
  deadline get_deadline() const noexcept { return by_; }

 private:
  struct thrown : cancelled {
    explicit thrown(const cancel_scope* scope) noexcept : by(scope) {}
    const cancel_scope* by;
  };
  struct own_record : detail::cancel_record {
    own_record(cancel_scope& s, bool shield) noexcept
        : cancel_record([](cancel_record& r) { throw thrown(static_cast<own_record&>(r).scope); }, shield), scope(&s) {}
    cancel_scope* scope;
  };

  own_record record_;
  deadline by_;
};

}  // namespace weft
