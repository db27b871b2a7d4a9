// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.hpp"
#include "core/local_hub.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "task/block.hpp"
#include "weft/detail/exchange.hpp"
#include "weft/detail/fiber_block.hpp"
#include "weft/shield.hpp"

namespace weft::task_layer {

namespace {

// @return the shares that are left
std::uint64_t give_back(task_block& b, std::uint64_t share) noexcept {
  return detail::exchange_add(b.shares, 0 - share) - share;
}

void free_heap_body(task_block& b) noexcept {
  if (b.heap_align != 0) ::operator delete(b.body, std::align_val_t(b.heap_align));
}

bool has_to_settle(const task_block& b) noexcept {
  return b.settle != nullptr || b.heap_align != 0 || b.how == outcome::failed;
}

// By the last of the handles and the run: never on the scheduler's own account.
void settle(task_block& b) noexcept {
  if (b.settle != nullptr) b.settle(b.body);
  free_heap_body(b);
  if (b.how == outcome::failed) {
    if (!b.retrieved.load(std::memory_order_relaxed)) report_failure(b);
    b.failure = nullptr;
  }
  if (b.kill_with != nullptr) b.kill_with = nullptr;
}

void mark_ended(task_block& b) noexcept {
  const std::lock_guard guard(b.lock);
  b.ended.store(true, std::memory_order_release);
  b.waiters.finish();
}

// Not inlined: most fibers have none.
__attribute__((noinline)) void clear_storage(task_block& b) noexcept {
  const shield against_kills;
  b.storage.clear();
}

void run_body(core::fiber& f) noexcept {
  task_block& b = block_of(&f);
  b.call(b.body);
  end_body(b);
  if (!has_to_settle(b)) return;
  b.run_left = true;
  if ((give_back(b, task_block::handle) & (task_block::scheduler - 1)) != 0) return;
  settle(b);
  give_back(b, task_block::body_kept);
}

// The scheduler has nothing more to do with it. On its hub, off its stack.
void end_run(core::fiber& f, core::hub& h) noexcept {
  task_block& b = block_of(&f);
  if (f.heap_slot != 0) h.deadlines.drop(f);
  f.unlink();
  --h.live;
  h.add_load(-1);
  if (__builtin_expect(f.state == core::fiber_state::lost, 0)) {
    // Its thread has ended. Stack and block, and what ThreadSanitizer knows of it, are left to who still names them, and who
    // joins is told.
    b.how = outcome::cancelled;
    mark_ended(b);
    return;
  }
  f.sanitizer.destroy();
  if (f.stack) h.stacks.give(f.stack);
  f.stack = {};
  f.retire();
  const bool run_left = b.run_left;  // behind the subtraction the block may be another fiber's
  const std::uint64_t given = task_block::scheduler + (run_left ? 0 : task_block::handle);
  const std::uint64_t left = give_back(b, given);
  if (run_left ? left == 0 : (left & (task_block::scheduler - 1)) == 0) give_block(b);
}

}  // namespace

task_block* task_of(core::fiber& f) noexcept {
  return f.run == run_body ? &block_of(&f) : static_cast<task_block*>(f.task);
}

void end_body(task_block& b) noexcept {
  if (__builtin_expect(!b.storage.empty(), 0)) clear_storage(b);
  // Here, not in `end`: the switch away can then go straight to who waited.
  mark_ended(b);
}

}  // namespace weft::task_layer

namespace weft::detail {

using namespace task_layer;  // NOLINT(google-build-using-namespace): this file is its interface

namespace {
// `current_context`, in the few instructions that it is on a fiber.
context_node* context_here() noexcept {
  core::hub* const h = weft_this_hub;
  const task_block* const b = h != nullptr ? task_of(*h->current) : nullptr;
  return b != nullptr ? b->storage.context : current_context();
}

// Where a new fiber goes that was not placed.
core::hub& place() {
  core::hub& mine = core::local_hub();
  const core::hub_set* const among = mine.placement.load(std::memory_order_relaxed);
  return among == nullptr ? mine : core::least_loaded_of(*among);
}
}  // namespace

core::fiber* allocate_fiber(std::size_t size, std::size_t align, void** body, void (*run)(void*) noexcept,
                            core::hub* on) {
  core::hub& h = on != nullptr ? *on : place();
  task_block* const b = take_block(h);
  if (b == nullptr) throw std::bad_alloc();
  if (size <= sizeof b->inplace && align <= 16) {
    b->body = b->inplace;
  } else {
    b->heap_align = align < __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? __STDCPP_DEFAULT_NEW_ALIGNMENT__ : align;
    b->body = ::operator new(size, std::align_val_t(b->heap_align), std::nothrow);
    if (b->body == nullptr) {
      give_block(*b);
      throw std::bad_alloc();
    }
  }
  b->run = run_body;
  b->end = end_run;
  b->call = run;
  b->id = &h == weft_this_hub ? h.next_id() : core::next_fiber_id();
  b->storage.context = share_context(context_here());
  *body = b->body;
  return b;
}

void discard_fiber(core::fiber* f) noexcept {
  free_heap_body(block_of(f));
  block_of(f).storage.clear();
  give_block(block_of(f));
}

namespace {
// In a patched process a fiber is a thread: two that wait in the resolver would share its state otherwise.
bool is_to_be_thread(const task_block& b, fiber_weight weight) {
  if (weight == fiber_weight::light) return false;
  if (core::makes_thread_fibers() && b.home->runs_threads) return true;
  if (weight == fiber_weight::automatic) return false;
  throw std::system_error(std::make_error_code(std::errc::operation_not_supported),
                          "weft: a thread fiber is made by another one, in a patched process");
}

void check_stack_size(std::size_t wanted) {
  if (wanted <= context::largest_stack) return;
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          "weft: a fiber's stack of " + std::to_string(wanted) + " bytes; the most is " +
                              std::to_string(context::largest_stack));
}

// It ends as one that was killed before it began.
void refuse_fiber(task_block& b) noexcept {
  core::prepare_mail(b);
  b.kill.request();
  b.call(b.body);
  end_body(b);
  detail::release_fiber(&b);
  detail::release_fiber(&b);
}
}  // namespace

void launch_fiber(core::fiber* f, const fiber_attributes& attributes) {
  task_block& b = block_of(f);
  int error = 0;
  b.shares.store(task_block::body_kept + 2 * task_block::handle,
                 std::memory_order_relaxed);  // the run's and a handle's
  try {
    check_stack_size(attributes.stack_size);
    if (!is_to_be_thread(b, attributes.weight)) return launch_light(f, attributes);
    core::prepare_mail(b);
    error = launch_thread(b, attributes);
  } catch (...) {
    refuse_fiber(b);
    throw;
  }
  if (error == 0) return;
  refuse_fiber(b);
  throw std::system_error(error, std::generic_category(), "weft: no thread for a fiber");
}

void launch_light(core::fiber* f, const fiber_attributes& attributes) noexcept {
  if (attributes.name != nullptr) std::strncpy(f->name, attributes.name, sizeof f->name - 1);
  if (attributes.stack_size != 0)
    f->spacing = static_cast<std::uint32_t>(context::stack_spacing(attributes.stack_size));
  // The scheduler's, the run's and the first handle's.
  block_of(f).shares.store(task_block::scheduler + task_block::body_kept + 2 * task_block::handle,
                           std::memory_order_relaxed);
  core::launch(*f, attributes.start.ns());
}

void retain_fiber(core::fiber* f) noexcept { exchange_add(block_of(f).shares, task_block::handle); }

void release_fiber(core::fiber* f) noexcept {
  task_block& b = block_of(f);
  // The last one has nobody to race with.
  if (b.shares.load(std::memory_order_acquire) == task_block::body_kept + task_block::handle) {
    settle(b);
    give_block(b);
    return;
  }
  if ((give_back(b, task_block::handle) & (task_block::scheduler - 1)) != 0) return;
  settle(b);
  if (give_back(b, task_block::body_kept) == 0) give_block(b);
}

void settle_with(core::fiber* f, void (*settle)(void*) noexcept) noexcept { block_of(f).settle = settle; }
void notify_of_kill(core::fiber* f, void (*on_kill)(void*) noexcept) noexcept { block_of(f).on_kill = on_kill; }
void* body_of(const core::fiber* f) noexcept { return block_of(f).body; }

bool killed_before_start(core::fiber* f) noexcept {
  if (__builtin_expect(!f->kill.requested(), 1)) return false;
  if (std::exception_ptr with = take_kill(block_of(f))) {
    end_failed(f, std::move(with));
  } else {
    end_cancelled(f);
  }
  return true;
}

void end_cancelled(core::fiber* f) noexcept { block_of(f).how = outcome::cancelled; }
void end_failed(core::fiber* f, std::exception_ptr failure) noexcept {
  block_of(f).how = outcome::failed;
  block_of(f).failure = std::move(failure);
}

bool fiber_done(const core::fiber* f) noexcept { return f->ended.load(std::memory_order_acquire); }
bool fiber_successful(const core::fiber* f) noexcept { return block_of(f).how != outcome::failed; }
bool fiber_cancelled(const core::fiber* f) noexcept { return block_of(f).how == outcome::cancelled; }
std::exception_ptr fiber_failure(core::fiber* f) noexcept {
  block_of(f).retrieved.store(true, std::memory_order_relaxed);
  return block_of(f).failure;
}
std::uint64_t fiber_id(const core::fiber* f) noexcept { return f->id; }
const char* fiber_name(const core::fiber* f) noexcept { return static_cast<const char*>(f->name); }

void subscribe_to_end(core::fiber* f, subscription& s) noexcept {
  task_block& b = block_of(f);
  const std::lock_guard guard(b.lock);
  if (b.ended.load(std::memory_order_relaxed)) {
    s.notify(s);
  } else {
    b.waiters.add(s);
  }
}

void unsubscribe_from_end(core::fiber* f, subscription& s) noexcept {
  task_block& b = block_of(f);
  const std::lock_guard guard(b.lock);
  b.waiters.remove(s);
}

bool join_fiber(core::fiber* f, deadline by) {
  if (fiber_done(f)) return true;
  if (is_running(f)) return false;
  if (core::hubs[f->home->index] != f->home) return false;  // a fork's parent's
  const bool on_fiber = weft_this_hub != nullptr;
  WEFT_EXPECT(!on_fiber || weft_this_hub->current != &weft_this_hub->loop_fiber, "a callback of the hub waits");
  subscription node;
  node.who = on_fiber ? core::prepare_park() : prepare_park();
  node.notify = [](subscription& s) noexcept { core::unpark_joiner(s.who); };
  subscribe_to_end(f, node);
  if (on_fiber && f->home == weft_this_hub) f->home->prefer(*f);
  const int ended =
      on_fiber ? core::park_cancellable(node.who, by.ns(), core::wait_kind::object, f) : park(node.who, by, f);
  if (ended == woken) return true;
  unsubscribe_from_end(f, node);
  if (fiber_done(f)) return true;
  if (ended == cancelled_wait) throw_cancelled();
  return false;
}

void kill_fiber(core::fiber* f, std::exception_ptr with) noexcept {
  task_block& b = block_of(f);
  if (fiber_done(f)) return;
  {
    const std::lock_guard guard(b.lock);
    if (b.kill_asked) return;
    b.kill_asked = true;
    b.kill_with.swap(with);
  }
  f->kill.request();
  if (b.on_kill != nullptr) b.on_kill(b.body);
}

}  // namespace weft::detail
