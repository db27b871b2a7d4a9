// SPDX-License-Identifier: MIT
#include "weft/run.hpp"

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <unordered_set>

#include "base/cpus.hpp"
#include "core/local_hub.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "task/block.hpp"
#include "task/real_thread.hpp"
#include "weft/detail/subscription.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/future.hpp"
#include "weft/park.hpp"
#include "weft/shield.hpp"
#include "weft/this_fiber.hpp"

namespace weft {

namespace {

// A run's hold on the caller's hub while it makes the others, for which it waits: other fibers still spawn here, and none of
// them can begin a run.
struct claim {
  core::hub_set alone;

  explicit claim(core::hub& mine) {
    if (mine.placement.load(std::memory_order_relaxed) != nullptr) {
      throw std::system_error(std::make_error_code(std::errc::operation_in_progress), "weft: a run inside a run");
    }
    alone.hubs[alone.count++] = &mine;
    mine.placement.store(&alone, std::memory_order_release);
  }
  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;
  ~claim() {
    std::atomic<const core::hub_set*>& held = alone.hubs[0]->placement;
    if (held.load(std::memory_order_relaxed) == &alone) held.store(nullptr, std::memory_order_relaxed);
  }
};

// The hubs that runs have made and given back. Their threads sleep; a descriptor whose watch they have is still watched.
constinit detail::spinlock idle_lock;
constinit core::hub* idle[core::max_hubs] = {};
constinit unsigned idle_count = 0;

// Whether its thread lives: not in a fork's child.
bool is_alive(const core::hub& h) noexcept { return core::hubs[h.index] == &h; }

core::hub* take_idle() noexcept {
  const std::lock_guard guard(idle_lock);
  while (idle_count != 0) {
    core::hub* const h = idle[--idle_count];
    if (is_alive(*h)) return h;
  }
  return nullptr;
}

void give_idle(core::hub& h) noexcept {
  const std::lock_guard guard(idle_lock);
  idle[idle_count++] = &h;
}

// A thread's whole life: it has a hub, and leaves it to the fibers.
void* hub_thread(void* argument) {
  {
    const std::unique_ptr<promise<hub>> made(static_cast<promise<hub>*>(argument));
    try {
      made->set_value(hub::current());
    } catch (...) {
      made->set_exception(std::current_exception());
      return nullptr;
    }
  }
  for (;;) park_shielded(prepare_park(), deadline::never());
}

core::hub& make_hub() {
  if (weft_this_hub->runs_threads) {
    core::hub* const h = core::the_patcher->add_hub();
    if (h == nullptr)
      throw std::system_error(EAGAIN, std::generic_category(), "weft: no thread or descriptors for a hub");
    return *h;
  }
  const shield until_it_is_known;  // or a cancellation would lose it
  auto made = std::make_unique<promise<hub>>();
  future<hub> there = made->get_future();
  if (const int error = task_layer::start_thread(hub_thread, made.get(), 0); error != 0) {
    throw std::system_error(error, std::generic_category(), "weft: no thread for a hub");
  }
  static_cast<void>(made.release());  // the thread has it
  return *there.get().get();
}

// On the hub @p h: the fibers that were spawned there, but for the caller and those that serve the hub itself.
std::vector<fiber> fibers_of(core::hub& h) {
  std::vector<fiber> found;
  for (core::fiber* f = h.all.front(); f != nullptr; f = h.all.after(f)) {
    task_layer::task_block* const b = task_layer::task_of(*f);
    if (b == nullptr || f == h.current || f->serves_hub) continue;
    detail::retain_fiber(b);
    found.emplace_back(b);
  }
  return found;
}

// A round of the end, of all hubs but the caller's: over as soon as each of them is empty.
struct end_round {
  std::atomic<unsigned> busy;  // hubs that are not known to be; 0: over
  event over;

  explicit end_round(unsigned hubs) noexcept : busy(hubs) {}
  void leave() noexcept {
    if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) over.set();
  }
  /// @return false if it is over
  bool enter() noexcept {
    unsigned seen = busy.load(std::memory_order_acquire);
    while (seen != 0 && !busy.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) {
    }
    return seen != 0;
  }
};

// On the hub @p h: until @p object is ready, or a fiber has come.
template <class T>
void wait_for_newcomers(core::hub& h, T& object) {
  detail::subscription s;
  s.who = h.newcomers = prepare_park();
  s.notify = [](detail::subscription& me) noexcept { unpark(me.who); };
  object.add_waiter(s);
  park_shielded(s.who, deadline::never(), &object);
  object.remove_waiter(s);
  h.newcomers = {};
}

// On each hub but the caller's, behind main. It looks at who comes while it waits for the others: one that is being killed
// may spawn, here or there, and wait for that. @return whether there were any
bool end_fibers_here(end_round& round) {
  core::hub& h = *weft_this_hub;
  h.placement.store(nullptr, std::memory_order_relaxed);
  std::unordered_set<std::uint64_t> killed;
  for (;;) {
    const std::vector<fiber> left = fibers_of(h);
    for (const fiber& f : left) {
      if (killed.insert(f.get_id()).second) f.request_kill();
    }
    if (!left.empty() && !left.front().ready()) {
      wait_for_newcomers(h, left.front());
    } else if (!left.empty() || h.arriving.load(std::memory_order_acquire) != 0) {
      this_fiber::yield();  // one is on its way here, or has ended and destroys its result
    } else {
      round.leave();
      wait_for_newcomers(h, round.over);
      if (!round.enter()) return !killed.empty() || !fibers_of(h).empty();
    }
  }
}

}  // namespace

struct detail::several_hubs::state {
  core::hub_set set;

  ~state() {
    for (unsigned i = 1; i < set.count; ++i) {
      if (is_alive(*set.hubs[i])) give_idle(*set.hubs[i]);
    }
  }
};

detail::several_hubs::several_hubs(unsigned hubs) {
  if (hubs == 0) hubs = base::usable_cpus();
  if (hubs > core::max_hubs) throw std::system_error(EAGAIN, std::generic_category(), "weft: that many hubs");
  core::hub& mine = core::local_hub();
  const claim until_made(mine);
  auto made = std::make_unique<state>();
  core::hub_set& set = made->set;
  set.hubs[set.count++] = &mine;
  while (set.count < hubs) {
    core::hub* const h = take_idle();
    set.hubs[set.count] = h != nullptr ? h : &make_hub();
    ++set.count;
  }
  for (unsigned i = 0; i < set.count; ++i) set.hubs[i]->placement.store(&set, std::memory_order_release);
  state_ = made.release();
}

detail::several_hubs::~several_hubs() {
  const std::unique_ptr<state> mine(state_);
  const core::hub_set& set = mine->set;
  if (!is_alive(*set.hubs[0])) return;  // a fork's child: the other threads are not there
  const weft::shield until_all_have_ended;
  set.hubs[0]->placement.store(nullptr, std::memory_order_relaxed);
  // Until a round has found none: what came to a hub as the round ended is the next one's.
  for (bool found = true; found;) {
    found = false;
    end_round round(set.count - 1);
    std::vector<task<bool>> ending;
    for (unsigned i = 1; i < set.count; ++i) {
      ending.push_back(spawn({.name = "end of run", .on = hub(set.hubs[i])}, end_fibers_here, std::ref(round)));
    }
    for (const task<bool>& t : ending) found = t.get() || found;
  }
}

std::vector<hub> hubs() {
  core::hub& mine = core::local_hub();
  const core::hub_set* const set = mine.placement.load(std::memory_order_acquire);
  if (set == nullptr) return {hub(&mine)};
  std::vector<hub> all;
  for (unsigned i = 0; i < set->count; ++i) all.emplace_back(set->hubs[i]);
  return all;
}

}  // namespace weft
