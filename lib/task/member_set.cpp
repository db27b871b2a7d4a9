// SPDX-License-Identifier: MIT
#include "weft/detail/member_set.hpp"

#include <mutex>
#include <utility>

#include "weft/detail/misuse.hpp"
#include "weft/park.hpp"
#include "weft/this_fiber.hpp"

namespace weft::detail {

struct member_set::member : subscription {
  member_set* set = nullptr;
  core::fiber* block = nullptr;
  member* before = nullptr;
  member* after = nullptr;
  bool tracked = false;
  bool dying = false;
  bool over = false;  // has ended, untracked
};

namespace {
// Under the set's lock, of a member that has not ended: it cannot let go of its block before it has told of its end.
fiber handle_of(core::fiber* block) noexcept {
  retain_fiber(block);
  return fiber(block);
}
}  // namespace

void member_set::chain::push(member& m) noexcept {
  m.before = last;
  m.after = nullptr;
  (last == nullptr ? first : last->after) = &m;
  last = &m;
}

void member_set::chain::remove(member& m) noexcept {
  (m.before == nullptr ? first : m.before->after) = m.after;
  (m.after == nullptr ? last : m.after->before) = m.before;
}

member_set::~member_set() {
  if (!joiners_.empty()) destroyed_in_use("group, pool or scope", this);
  reopen();
  for (;;) {
    member* m = nullptr;
    fiber held;
    {
      const std::lock_guard guard(lock_);
      m = living_.first != nullptr ? living_.first : dying_.first;
      if (m == nullptr) break;
      held = handle_of(m->block);
      m->tracked = false;  // the owner is not told: it is going too
      (m->dying ? dying_ : living_).remove(*m);
    }
    held.remove_waiter(*m);
    delete m;
  }
  free_dead();
}

member_set::place::place(member_set& set) : set_(set), memory_(std::make_unique<member>()) {
  memory_->notify = ended;
  memory_->set = &set;
  set.free_dead();
  const std::lock_guard guard(set.lock_);
  if (set.closed_) {
    memory_ = nullptr;
  } else {
    ++set.size_;
  }
}

member_set::place::~place() {
  if (memory_ == nullptr) return;
  const std::lock_guard guard(set_.lock_);
  set_.leave();
}

bool member_set::place::take(const fiber& f, bool is_new) noexcept {
  if (!f.joinable() || (!is_new && f.ready())) return false;
  member& m = *memory_;
  m.block = f.block();
  // Untracked at first: from when others find it in the set, anyone may kill it, let go of it and free it.
  f.add_waiter(m);
  bool taken = false;
  bool kill = false;
  std::exception_ptr with;
  {
    const std::lock_guard guard(set_.lock_);
    taken = is_new || (!m.over && set_.find(f.get_id()) == nullptr);
    if (taken) {
      m.tracked = true;
      m.dying = kill = set_.killers_ != 0;
      if (kill) with = set_.kill_with_;
      (kill ? set_.dying_ : set_.living_).push(*memory_.release());
      if (m.over) set_.lose(m);
    }
  }
  if (!taken) f.remove_waiter(m);
  if (kill) f.request_kill(std::move(with));
  return taken;
}

void member_set::ended(subscription& s) noexcept {
  auto& m = static_cast<member&>(s);
  member_set& set = *m.set;
  const std::lock_guard guard(set.lock_);
  if (m.tracked) {
    set.lose(m);
  } else {
    m.over = true;  // whoever takes it in looks; whoever lets go of it is waiting for us, and frees it
  }
}

// Under the lock: @p m has ended.
void member_set::lose(member& m) noexcept {
  unlink(m);
  if (told_.failed == nullptr || fiber_successful(m.block)) {
    dead_.push(m);
    return;
  }
  retain_fiber(m.block);
  failed_.push(m);
  told_.failed(told_.owner, m.block);
}

// Under the lock.
void member_set::unlink(member& m) noexcept {
  m.tracked = false;
  (m.dying ? dying_ : living_).remove(m);
  if (told_.left != nullptr) told_.left(told_.owner);
  leave();
}

// Under the lock.
void member_set::leave() noexcept {
  if (--size_ != 0) return;
  while (wait_node* const node = joiners_.pop_front()) unpark(node->who);
}

void member_set::free_dead() noexcept {
  chain dead;
  {
    const std::lock_guard guard(lock_);
    dead = std::exchange(dead_, {});
  }
  while (dead.first != nullptr) delete std::exchange(dead.first, dead.first->after);
}

void member_set::reopen() noexcept {
  chain failed;
  std::exception_ptr with;
  {
    const std::lock_guard guard(lock_);
    failed = std::exchange(failed_, {});
    closed_ = false;
    killers_ = 0;
    with.swap(kill_with_);
  }
  while (member* const m = failed.first) {
    failed.first = m->after;
    release_fiber(m->block);
    delete m;
  }
}

bool member_set::close_if_empty() noexcept {
  const std::lock_guard guard(lock_);
  closed_ = size_ == 0;
  return closed_;
}

// Under the lock.
member_set::member* member_set::find(std::uint64_t id) const noexcept {
  for (const chain* each : {&living_, &dying_}) {
    for (member* m = each->first; m != nullptr; m = m->after) {
      if (fiber_id(m->block) == id) return m;
    }
  }
  return nullptr;
}

bool member_set::discard(const fiber& f) noexcept {
  member* m = nullptr;
  {
    const std::lock_guard guard(lock_);
    m = find(f.get_id());
    if (m == nullptr) return false;
    unlink(*m);
  }
  f.remove_waiter(*m);
  delete m;
  return true;
}

std::size_t member_set::size() const noexcept {
  const std::lock_guard guard(lock_);
  return size_;
}

bool member_set::contains_id(std::uint64_t id) const noexcept {
  const std::lock_guard guard(lock_);
  return find(id) != nullptr;
}

bool member_set::contains_caller() const noexcept {
  const std::uint64_t id = this_fiber::get_id();
  return id != 0 && contains_id(id);
}

std::vector<fiber> member_set::fibers() const {
  for (std::size_t room = size() + 8;; room *= 2) {
    std::vector<fiber> found;
    found.reserve(room);  // no memory is taken under the lock
    const std::lock_guard guard(lock_);
    if (size_ > room) continue;
    for (const chain* each : {&living_, &dying_}) {
      for (const member* m = each->first; m != nullptr; m = m->after) found.push_back(handle_of(m->block));
    }
    return found;
  }
}

std::vector<fiber> member_set::failed() const {
  std::vector<fiber> found;
  const member* m = nullptr;
  {
    const std::lock_guard guard(lock_);
    m = failed_.first;
  }
  // They stay until the set is opened anew, and only more come.
  for (; m != nullptr; m = m->after) found.push_back(handle_of(m->block));
  return found;
}

bool member_set::wait_empty(deadline by) {
  wait_node node;
  node.who = prepare_park();
  {
    const std::lock_guard guard(lock_);
    if (size_ == 0) return true;
    joiners_.push(node);
  }
  const int end = park(node.who, by, this);
  bool was_empty = false;
  {
    const std::lock_guard guard(lock_);  // behind a wake too: who woke us is then done with this set
    was_empty = !joiners_.remove(node);
  }
  if (!was_empty && end == cancelled_wait) throw_cancelled();
  return was_empty;
}

bool member_set::join_and_rethrow(deadline by) {
  const std::vector<fiber> watched = fibers();
  const bool joined = !contains_caller() && wait_empty(by);
  for (const fiber& f : watched) {
    if (const std::exception_ptr failure = f.exception()) std::rethrow_exception(failure);
  }
  return joined;
}

bool member_set::kill(const std::exception_ptr& with, deadline by) {
  struct killing {
    member_set& set;
    ~killing() {
      const std::lock_guard guard(set.lock_);
      if (set.killers_ != 0) --set.killers_;
    }
  };
  {
    const std::lock_guard guard(lock_);
    ++killers_;
    kill_with_ = with;
  }
  const killing until_end{*this};
  request_kill(with);
  const std::uint64_t caller = this_fiber::get_id();
  if (!contains_id(caller)) return wait_empty(by);
  for (fiber f = other_than(caller); f.joinable(); f = other_than(caller)) {
    if (!f.join(by)) return false;
  }
  return true;
}

void member_set::request_kill(const std::exception_ptr& with) noexcept {
  const std::uint64_t caller = this_fiber::get_id();
  for (fiber f = next_to_kill(caller); f.joinable(); f = next_to_kill(caller)) f.request_kill(with);
}

void member_set::request_kill_of_all() noexcept {
  {
    const std::lock_guard guard(lock_);
    ++killers_;
  }
  request_kill(nullptr);
}

fiber member_set::next_to_kill(std::uint64_t spared) noexcept {
  const std::lock_guard guard(lock_);
  member* m = living_.first;
  if (m != nullptr && fiber_id(m->block) == spared) m = m->after;
  if (m == nullptr) return {};
  living_.remove(*m);
  dying_.push(*m);
  m->dying = true;
  return handle_of(m->block);
}

fiber member_set::other_than(std::uint64_t spared) const noexcept {
  const std::lock_guard guard(lock_);
  for (const chain* each : {&living_, &dying_}) {
    const member* m = each->first;
    if (m != nullptr && fiber_id(m->block) == spared) m = m->after;
    if (m != nullptr) return handle_of(m->block);
  }
  return {};
}

}  // namespace weft::detail
