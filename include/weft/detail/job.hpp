// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "weft/detail/future_state.hpp"

namespace weft::detail {

/// What an executor queues: something to run once, or to cancel. Either ends the executor's reference to it.
struct job {
  job* next = nullptr;
  void* owner = nullptr;  // the executor that has it
  void (*run)(job&) noexcept = nullptr;
  void (*cancel)(job&) noexcept = nullptr;
};

/// First in, first out. Intrusive; used under its owner's lock.
class job_list {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  void push(job& j) noexcept {
    j.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &j;
    last_ = &j;
  }
  void push_front(job& j) noexcept {
    j.next = first_;
    first_ = &j;
    if (last_ == nullptr) last_ = &j;
  }
  job* pop() noexcept {
    job* const j = first_;
    if (j != nullptr) first_ = j->next;
    if (first_ == nullptr) last_ = nullptr;
    return j;
  }
  /// All of them, linked by `next`.
  job* take_all() noexcept {
    last_ = nullptr;
    return std::exchange(first_, nullptr);
  }

 private:
  job* first_ = nullptr;
  job* last_ = nullptr;
};

/// A call with its arguments and the state of its future, in one allocation.
template <class Result, class F, class... Args>
class call_job final : public future_value<Result>, public job {
 public:
  template <class G, class... From>
  explicit call_job(G&& function, From&&... from)
      : future_value<Result>(/*is_task=*/true),
        call_(std::in_place, std::forward<G>(function), std::forward<From>(from)...) {
    run = [](job& me) noexcept { static_cast<call_job&>(me).run_now(); };
    cancel = [](job& me) noexcept {
      auto& self = static_cast<call_job&>(me);
      self.future_state::cancel();
      self.call_.reset();
      self.release();
    };
  }

 private:
  void run_now() noexcept {
    // What the call holds is let go before anybody sees the result.
    if (this->claim()) {
      this->fill_from(
          [this]() -> Result {
            return std::apply([](auto&... part) -> Result { return std::invoke(std::move(part)...); }, *call_);
          },
          [this] { call_.reset(); });
    } else {
      call_.reset();
    }
    this->release();
  }

  std::optional<std::tuple<F, Args...>> call_;
};

/// Waits for a task; if that is cancelled, or @p by passes, cancels the task as far as it has not begun.
template <class Future>
bool wait_or_cancel(Future& task, deadline by) {
  bool ready = false;
  try {
    ready = task.wait(by);
  } catch (...) {
    task.cancel();
    throw;
  }
  if (!ready) task.cancel();
  return ready;
}

}  // namespace weft::detail
