// SPDX-License-Identifier: MIT
#include "weft/future.hpp"

#include <future>
#include <mutex>
#include <system_error>
#include <utility>

#include "weft/cancelled.hpp"
#include "weft/park.hpp"

namespace weft {

namespace detail {

future_state::~future_state() = default;

bool future_state::wait(deadline by) {
  if (ready()) return true;
  subscription s;
  s.notify = [](subscription& me) noexcept { unpark(me.who); };
  s.who = prepare_park();
  subscribe(s);
  const int ended = park(s.who, by, this);
  if (ended == woken) return true;
  unsubscribe(s);
  if (ended == cancelled_wait) throw_cancelled();
  return ready();
}

void future_state::subscribe(subscription& s) noexcept {
  {
    const std::lock_guard guard(lock_);
    if (!ready()) {
      waiters_.add(s);
      return;
    }
  }
  s.notify(s);
}

void future_state::unsubscribe(subscription& s) noexcept {
  const std::lock_guard guard(lock_);
  waiters_.remove(s);
}

void future_state::publish() noexcept {
  // Under the lock to the end: a waiter that leaves takes it too, and may then destroy its subscription. The publisher
  // holds a reference, so a waiter that was woken may let go of its own at once.
  const std::lock_guard guard(lock_);
  phase_.store(phase::ready, std::memory_order_release);
  waiters_.finish();
}

void future_state::abandon() noexcept {
  if (claim()) fail(std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
}

bool future_state::cancel() noexcept {
  if (!is_task_ || !claim()) return false;
  fail(std::make_exception_ptr(task_cancelled()));
  return true;
}

std::exception_ptr failure_to_report() noexcept {
  try {
    throw;
  } catch (const cancelled&) {
    return std::make_exception_ptr(task_cancelled());
  } catch (...) {
    return std::current_exception();
  }
}

void throw_no_state() { throw std::future_error(std::future_errc::no_state); }
void throw_timed_out() {
  throw std::system_error(std::make_error_code(std::errc::timed_out), "weft: the future is not ready");
}
void throw_already_satisfied() { throw std::future_error(std::future_errc::promise_already_satisfied); }
void throw_already_retrieved() { throw std::future_error(std::future_errc::future_already_retrieved); }

}  // namespace detail
}  // namespace weft
