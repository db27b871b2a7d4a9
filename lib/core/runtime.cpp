// SPDX-License-Identifier: MIT
#include "core/runtime.hpp"

#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "core/random_schedule.hpp"
#include "core/scheduler.hpp"

namespace weft::core {

hub* hubs[max_hubs];
std::atomic<unsigned> hub_count{0};

namespace {
base::spinlock hubs_lock;
std::atomic<std::uint64_t> last_id{0};
constexpr std::uint64_t ids_at_once = 256;

// Under the lock of the hubs.
hub* vacant[max_hubs];
unsigned vacant_count = 0;

std::uint32_t load_of(const hub& h) noexcept {
  return h.load.load(std::memory_order_relaxed) + h.arriving.load(std::memory_order_relaxed);
}
}  // namespace

hub* make_hub() noexcept {
  const std::lock_guard guard(hubs_lock);
  const unsigned number = hub_count.load(std::memory_order_relaxed);
  if (number == max_hubs) return nullptr;
  take_seed_of_environment();
  void* storage = base::map_pages((sizeof(hub) + 4095) / 4096 * 4096);
  if (storage == nullptr) return nullptr;
  hub* h = new (storage) hub;
  if (!h->prepare(number)) {
    base::unmap_pages(storage, (sizeof(hub) + 4095) / 4096 * 4096);
    return nullptr;
  }
  hubs[number] = h;
  hub_count.store(number + 1, std::memory_order_release);
  return h;
}

void drop_last_hub() noexcept {
  const std::lock_guard guard(hubs_lock);
  const unsigned number = hub_count.load(std::memory_order_relaxed) - 1;
  hubs[number]->events.destroy();
  hubs[number] = nullptr;
  hub_count.store(number, std::memory_order_release);
}

void give_vacant_hub(hub& h) noexcept {
  const std::lock_guard guard(hubs_lock);
  vacant[vacant_count++] = &h;
}

hub* take_vacant_hub() noexcept {
  const std::lock_guard guard(hubs_lock);
  return vacant_count == 0 ? nullptr : vacant[--vacant_count];
}

hub& least_loaded_hub() noexcept {
  hub* best = weft_this_hub;
  for (unsigned i = 0, n = hub_count.load(std::memory_order_acquire); i < n; ++i) {
    if (hubs[i]->runs_threads && load_of(*hubs[i]) < load_of(*best)) best = hubs[i];
  }
  return *best;
}

hub& least_loaded_of(const hub_set& set) noexcept {
  hub* best = weft_this_hub;
  for (unsigned i = 0; i < set.count; ++i) {
    if (best == nullptr || load_of(*set.hubs[i]) < load_of(*best)) best = set.hubs[i];
  }
  return *best;
}

void adopt_thread(hub& h, fiber& self) noexcept {
  self.home = &h;
  self.state = fiber_state::running;
  self.sanitizer.adopt_current();
  h.kernel_tid.store(static_cast<int>(base::raw_syscall(SYS_gettid)), std::memory_order_relaxed);
  prepare_mail(self);
  h.all.push_back(&self);
  ++h.live;
  h.add_load(1);
  h.current = &self;
  h.exceptions = context::exception_place::of_this_thread();
  weft_this_hub = &h;
}

void forget_after_fork() noexcept {
  base::fork_generation.fetch_add(1, std::memory_order_relaxed);
  const unsigned count = hub_count.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < count; ++i) {
    hubs[i]->events.abandon();
    hubs[i] = nullptr;
  }
  hub_count.store(0, std::memory_order_relaxed);
  vacant_count = 0;
  weft_this_hub = nullptr;
}

std::uint64_t hub::next_id() noexcept {
  if (next_id_ == id_end_) {
    next_id_ = last_id.fetch_add(ids_at_once, std::memory_order_relaxed);
    id_end_ = next_id_ + ids_at_once;
  }
  return ++next_id_;
}

std::uint64_t next_fiber_id() noexcept { return last_id.fetch_add(1, std::memory_order_relaxed) + 1; }

}  // namespace weft::core
