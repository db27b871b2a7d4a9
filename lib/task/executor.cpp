// SPDX-License-Identifier: MIT
#include "weft/executor.hpp"

#include <chrono>
#include <mutex>
#include <new>
#include <utility>

#include "weft/detail/misuse.hpp"
#include "weft/park.hpp"

namespace weft {

executor_closed::executor_closed() : std::runtime_error("weft: the executor takes no more tasks") {}
executor_closed::~executor_closed() = default;

executor::~executor() = default;

void executor::execute(detail::job& j) {
  worker* chosen = nullptr;
  j.owner = this;
  {
    std::unique_lock guard(lock_);
    if (closed_) {
      guard.unlock();
      j.cancel(j);
      throw executor_closed();
    }
    ++unfinished_;
    if (idle_ != nullptr) {
      chosen = idle_;
      idle_ = chosen->next_idle;
      chosen->given = &j;
    } else if (!below_limit()) {
      pending_.push(j);
      return;
    } else {
      ++workers_;
    }
  }
  if (chosen != nullptr) {
    unpark(chosen->who);
  } else {
    start_or_queue(j);
  }
}

// Counted as a worker already. If none can be made the job waits for one of those there are. @return whether one was made
bool executor::start_or_queue(detail::job& j) {
  try {
    start_worker(j);
    return true;
  } catch (...) {
    {
      const std::lock_guard guard(lock_);
      if (--workers_ != 0) {
        pending_.push_front(j);
        return false;
      }
      --unfinished_;
      wake_joiners();
    }
    j.cancel(j);
    throw;
  }
}

void executor::work(detail::job& first, std::int64_t idle_ns) noexcept {
  worker self;
  self.id = caller();
  {
    const std::lock_guard guard(lock_);
    self.next_active = std::exchange(active_, &self);
  }
  for (detail::job* j = &first; j != nullptr; j = self.left ? nullptr : next_job(self, idle_ns)) j->run(*j);
}

// nullptr: the worker is not counted any more, and does not touch the executor again.
detail::job* executor::next_job(worker& self, std::int64_t idle_ns) noexcept {
  std::unique_lock guard(lock_);
  --unfinished_;
  if (unfinished_ == 0) wake_joiners();
  detail::job* j = take_pending();
  if (j == nullptr && idle_ns > 0) {
    guard.unlock();
    waker who{};
    try {
      who = prepare_park();
    } catch (const std::bad_alloc&) {  // the first park of a thread needs memory; without it, it does not wait
    }
    guard.lock();
    j = take_pending();
    if (j == nullptr && !closed_ && !has_surplus() && who.target != nullptr) {
      j = wait_idle(guard, self, who, idle_ns);
      // Of several that were told to leave at once the last may find that it is needed.
      if (j == nullptr) j = take_pending();
    }
  }
  if (j == nullptr) {
    take_out(active_, &worker::next_active, self);
    --workers_;
    wake_joiners();
  }
  return j;
}

// The waker is made outside of the lock, because that may allocate; the lock is held on return, as it was.
detail::job* executor::wait_idle(std::unique_lock<detail::spinlock>& guard, worker& self, waker who,
                                 std::int64_t idle_ns) noexcept {
  self.given = nullptr;
  self.who = who;
  self.next_idle = std::exchange(idle_, &self);
  guard.unlock();
  park_shielded(who, std::chrono::nanoseconds(idle_ns), this);
  guard.lock();
  // Who gave it something, or closed, has taken it out of the list.
  if (self.given == nullptr) take_out(idle_, &worker::next_idle, self);
  return self.given;
}

void executor::take_out(worker*& list, worker* worker::*next, worker& which) noexcept {
  for (worker** at = &list; *at != nullptr; at = &((*at)->*next)) {
    if (*at == &which) {
      *at = which.*next;
      return;
    }
  }
}

bool executor::runs_caller() const noexcept {
  const std::uint64_t id = caller();
  const std::lock_guard guard(lock_);
  return limit_ != no_limit && find_worker(id) != nullptr;  // without a limit there is a worker for every task
}

// Under the lock.
executor::worker* executor::find_worker(std::uint64_t id) const noexcept {
  worker* w = active_;
  while (w != nullptr && w->id != id) w = w->next_active;
  return w;
}

void executor::close() noexcept {
  const std::lock_guard guard(lock_);
  closed_ = true;
  while (idle_ != nullptr) release_idle();
}

void executor::release_idle() noexcept {
  worker* const w = idle_;
  idle_ = w->next_idle;
  unpark(w->who);
}

void executor::wake_joiners() noexcept {
  while (detail::wait_node* const node = joiners_.pop_front()) unpark(node->who);
}

bool executor::wait_for(bool (executor::*done)() const noexcept, deadline by, bool shielded) {
  for (;;) {
    detail::wait_node node;
    node.who = prepare_park();
    {
      const std::lock_guard guard(lock_);
      if ((this->*done)()) return true;
      joiners_.push(node);
    }
    const int ended = shielded ? park_shielded(node.who, by, this) : park(node.who, by, this);
    if (ended == woken) continue;
    bool is_done = false;
    {
      const std::lock_guard guard(lock_);
      joiners_.remove(node);
      is_done = (this->*done)();
    }
    if (ended == cancelled_wait) throw_cancelled();
    return is_done;
  }
}

bool executor::join(deadline by) { return wait_for(&executor::no_tasks, by, /*shielded=*/false); }

// A task that destroys its executor cannot be waited for: it counts as ended, and its worker as gone, from here.
void executor::let_go_of_caller() noexcept {
  const std::uint64_t id = caller();
  std::unique_lock guard(lock_);
  worker* const own = find_worker(id);
  if (own == nullptr) return;
  own->left = true;
  take_out(active_, &worker::next_active, *own);
  --workers_;
  --unfinished_;
  // Those that waited for this worker get another one. Where none can be made they are cancelled, each in its turn.
  do {
    try {
      return start_pending(guard);
    } catch (...) {
      guard.lock();
    }
  } while (!pending_.empty());
}

void executor::finish() noexcept {
  lock_.lock();
  const bool is_awaited = !joiners_.empty();
  lock_.unlock();
  if (is_awaited) detail::destroyed_in_use("executor", this);
  let_go_of_caller();
  close();
  wait_for(&executor::no_tasks, deadline::never(), /*shielded=*/true);
  wait_for(&executor::no_workers, deadline::never(), /*shielded=*/true);
}

std::size_t executor::cancel_pending() noexcept {
  detail::job* j = nullptr;
  std::size_t count = 0;
  {
    const std::lock_guard guard(lock_);
    j = pending_.take_all();
    for (const detail::job* each = j; each != nullptr; each = each->next) ++count;
    unfinished_ -= count;
    if (unfinished_ == 0) wake_joiners();
  }
  while (j != nullptr) {
    detail::job* const next = j->next;
    j->cancel(*j);
    j = next;
  }
  return count;
}

void executor::limit(std::size_t most) {
  std::unique_lock guard(lock_);
  limit_ = most;
  if (has_surplus()) {
    for (std::size_t leaving = workers_ - limit_; leaving != 0 && idle_ != nullptr; --leaving) release_idle();
  }
  start_pending(guard);
}

// Under the lock, but when it throws.
void executor::start_pending(std::unique_lock<detail::spinlock>& guard) {
  while (below_limit()) {
    detail::job* const j = pending_.pop();
    if (j == nullptr) return;
    ++workers_;
    guard.unlock();
    const bool started = start_or_queue(*j);
    guard.lock();
    if (!started) return;
  }
}

std::size_t executor::limit() const noexcept {
  const std::lock_guard guard(lock_);
  return limit_;
}
std::size_t executor::unfinished() const noexcept {
  const std::lock_guard guard(lock_);
  return unfinished_;
}
std::size_t executor::workers() const noexcept {
  const std::lock_guard guard(lock_);
  return workers_;
}

// Whoever held the lock is gone, so nothing is taken as it was found.
void executor::forget_workers() noexcept {
  new (&lock_) detail::spinlock;
  workers_ = unfinished_ = 0;
  active_ = idle_ = nullptr;
  pending_ = {};
  new (&joiners_) detail::wait_queue;
}

}  // namespace weft
