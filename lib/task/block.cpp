// SPDX-License-Identifier: MIT
#include "task/block.hpp"

#include <mutex>
#include <new>
#include <utility>

#include "base/memory.hpp"
#include "core/hub.hpp"
#include "weft/cancelled.hpp"

namespace weft::task_layer {

namespace {

constinit base::slab blocks(sizeof(task_block));

// So many used blocks a hub keeps for itself; what is more goes, half of it at a time, to where other hubs that spawn here
// find it.
constexpr unsigned kept = 256;

void throw_kill(detail::cancel_record& record) {
  const std::exception_ptr with = take_kill(*task_of(*record.owner()));
  if (with != nullptr) std::rethrow_exception(with);
  throw cancelled();
}

core::fiber* take_spare(core::hub& h) noexcept {
  if (h.spare.load(std::memory_order_relaxed) == nullptr) return nullptr;
  const std::lock_guard guard(h.spare_lock);
  core::fiber* const f = h.spare.load(std::memory_order_relaxed);
  if (f != nullptr) h.spare.store(f->next, std::memory_order_relaxed);
  return f;
}

void give_spare(core::hub& h, core::fiber* first, core::fiber* last) noexcept {
  const std::lock_guard guard(h.spare_lock);
  last->next = h.spare.load(std::memory_order_relaxed);
  h.spare.store(first, std::memory_order_relaxed);
}

}  // namespace

task_block::task_block() noexcept : core::fiber(throw_kill) {}

void task_block::renew_all() noexcept {
  renew();
  heap_align = 0;
  settle = on_kill = nullptr;
  kill_asked = run_left = false;
  kill_with = nullptr;  // of a kill that came too late
  how = outcome::value;
  retrieved.store(false, std::memory_order_relaxed);
}

std::exception_ptr take_kill(task_block& b) noexcept {
  const std::lock_guard guard(b.lock);
  b.kill_asked = false;
  return std::exchange(b.kill_with, nullptr);
}

task_block* take_block(core::hub& h) noexcept {
  core::fiber* f = nullptr;
  if (&h == weft_this_hub) f = h.unused;
  if (f != nullptr) {
    h.unused = f->next;
    --h.unused_count;
  } else {
    f = take_spare(h);
  }
  if (f != nullptr) {
    block_of(f).renew_all();
    return static_cast<task_block*>(f);
  }
  void* const storage = blocks.take();
  if (storage == nullptr) return nullptr;
  auto* const fresh = new (storage) task_block;
  fresh->home = &h;
  fresh->tp = h.loop_fiber.tp;
  return fresh;
}

void give_block(task_block& b) noexcept {
  core::hub& h = *b.home;
  if (&h != weft_this_hub) return give_spare(h, &b, &b);
  b.next = h.unused;
  h.unused = &b;
  if (++h.unused_count < kept) return;
  core::fiber* const first = h.unused;
  core::fiber* last = first;
  for (unsigned i = 1; i < kept / 2; ++i) last = last->next;
  h.unused = last->next;
  h.unused_count -= kept / 2;
  give_spare(h, first, last);
}

}  // namespace weft::task_layer
