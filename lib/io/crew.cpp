// SPDX-License-Identifier: MIT
#include "io/crew.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <system_error>

#include "base/message.hpp"
#include "weft/cancelled.hpp"
#include "weft/fiber.hpp"
#include "weft/io_error.hpp"

namespace weft::io {

using detail::wait_node;
using detail::wait_queue;

int crew::sleep(wait_queue& in, wait_node& node, deadline by) {
  const int ended = park(node.who, by, this);
  if (ended == woken) return woken;
  {
    const std::lock_guard guard(lock_);
    if (!in.remove(node)) return woken;
  }
  if (ended == cancelled_wait) throw_cancelled();
  return ended;
}

void crew::take_place() {
  wait_node node;
  {
    const std::lock_guard guard(lock_);
    if (size() < limit_) {
      size_.store(size() + 1, std::memory_order_relaxed);
      return;
    }
  }
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    if (size() < limit_) {
      size_.store(size() + 1, std::memory_order_relaxed);
      return;
    }
    for_place_.push(node);
  }
  sleep(for_place_, node, deadline::never());  // who wakes it has left it the place
}

void crew::leave() noexcept {
  wait_node* next = nullptr;
  waker successor{};
  {
    const std::lock_guard guard(lock_);
    next = for_place_.pop_front();
    if (next != nullptr) {
      successor = next->who;
    } else {
      size_.store(size() - 1, std::memory_order_relaxed);
    }
    // Who waits for the end looks for itself whether this is it.
    while (wait_node* const n = for_end_.pop_front()) unpark(n->who);
  }
  if (next != nullptr) unpark(successor);
}

crew::member::member(crew& of)
    : cancel_record([](cancel_record&) { throw cancelled(); }), crew_(of), id_(this_fiber::get_id()) {
  enter();
  const std::lock_guard guard(crew_.lock_);
  crew_.members_.push_back(this);
  crew_.active_.store(crew_.active() + 1, std::memory_order_relaxed);
}

crew::member::~member() {
  {
    const std::lock_guard guard(crew_.lock_);
    unlink();
    crew_.active_.store(crew_.active() - 1, std::memory_order_relaxed);
  }
  cancel_record::leave();
  crew_.leave();
}

bool crew::is_member() noexcept {
  const std::uint64_t id = this_fiber::get_id();
  for (member* m = members_.front(); m != nullptr; m = members_.after(m)) {
    if (m->id_ == id) return true;
  }
  return false;
}

void crew::cancel_all() noexcept {
  const std::lock_guard guard(lock_);
  cancelling_.store(true, std::memory_order_release);
  const std::uint64_t self = this_fiber::get_id();
  for (member* m = members_.front(); m != nullptr; m = members_.after(m)) {
    if (m->id_ != self) m->request();
  }
}

bool crew::wait_for_end(deadline by) {
  for (;;) {
    wait_node node;
    node.who = prepare_park();
    {
      const std::lock_guard guard(lock_);
      if (size() <= (is_member() ? 1U : 0U)) return true;
      for_end_.push(node);
    }
    if (sleep(for_end_, node, by) != woken) return false;
  }
}

void report(const error_handler& on_error, const char* where) noexcept {
  const std::exception_ptr what = std::current_exception();
  if (on_error) return on_error(what);
  base::message line;
  try {
    std::rethrow_exception(what);
  } catch (const std::system_error& error) {
    const std::error_code& code = error.code();
    if (code == std::errc::connection_reset || code == std::errc::broken_pipe || code == std::errc::timed_out ||
        code == io_errc::end_of_stream) {
      return;
    }
    line << where << ": " << error.what();
  } catch (const std::exception& error) {
    line << where << ": " << error.what();
  } catch (...) {
    line << where << ": something that is no std::exception";
  }
  base::say(line);
}

bool is_passing(const std::error_code& ec) noexcept {
  return ec.category() != std::system_category() ||
         (ec.value() != EBADF && ec.value() != EINVAL && ec.value() != ENOTSOCK && ec.value() != EOPNOTSUPP);
}

void back_off::wait() {
  this_fiber::sleep_for(next_);
  next_ = std::min(next_ * 2, longest_);
}

}  // namespace weft::io
