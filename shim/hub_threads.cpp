// SPDX-License-Identifier: MIT
#include "shim/hub_threads.hpp"

#include <linux/rseq.h>
#include <linux/sched.h>
#include <pthread.h>

#include <new>

#include "base/message.hpp"
#include "context/thread_pointer.hpp"
#include "core/runtime.hpp"
#include "core/scheduler.hpp"
#include "shim/identity.hpp"
#include "shim/native.hpp"
#include "shim/signals.hpp"
#include "shim/thread.hpp"
#include "shim/threads.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr std::size_t hub_stack = 256 * 1024;

enum class stage : int { none, catching, starting };

// Hub 0's hidden thread on its way through pthread_create and start_thread; one at a time, on the main kernel thread.
stage hidden_stage = stage::none;
frame hidden_start;
std::uint64_t hidden_sp;
int hidden_tid;

void begin_hidden(core::fiber&) noexcept {
  hidden_stage = stage::starting;
  weft_resume(&hidden_start, hidden_sp, 0);
}

void set_up_loop(core::hub& h) noexcept {
  h.loop_fiber.tp = context::thread_pointer();
  h.exceptions = context::exception_place::of_this_thread();
  start_tick(h);
}

void* hidden_main(void*) {
  hidden_stage = stage::none;
  core::hub& h = *core::hubs[0];
  set_up_loop(h);
  h.run_loop();
  return nullptr;
}

void* carrier_main(void* argument) {
  auto& h = *static_cast<core::hub*>(argument);
  weft_this_hub = &h;
  h.current = &h.loop_fiber;
  h.runs_threads = true;
  h.loop_fiber.state = core::fiber_state::running;
  set_carrier_mask(h.index);
  set_up_loop(h);
  h.kernel_tid.store(static_cast<int>(base::raw_syscall(SYS_gettid)), std::memory_order_release);
  h.run_loop();
  return nullptr;
}

bool make_thread(void* (*body)(void*), void* argument) noexcept {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, hub_stack);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_t made;
  const int error = pthread_create(&made, &attr, body, argument);
  pthread_attr_destroy(&attr);
  return error == 0;
}

// What a joiner of main waits on: ld.so told the kernel of it before this library was there (set_tid_address). It lies in
// main's descriptor where a new thread's lies in its own.
void find_clear_tid(thread& main, const clone_request& request) noexcept {
  if ((request.flags & CLONE_CHILD_CLEARTID) == 0 || main.clear_tid != nullptr) return;
  auto* const word =
      reinterpret_cast<int*>(main.tp + (reinterpret_cast<std::uint64_t>(request.child_tid) - request.tls));
  if (int now = 0; copy_in(now, word) && now == main.tid) main.clear_tid = word;
}

// The clone of hub 0's hidden thread: kept as a context instead.
long catch_clone(frame& f) noexcept {
  const clone_request request = read_clone_request(f);
  core::hub& h = *core::hubs[0];
  hidden_start = f;
  hidden_sp = request.stack;
  hidden_tid = new_tid();
  find_clear_tid(self(), request);
  write_this_hub(request.tls, &h);
  if ((request.flags & CLONE_PARENT_SETTID) != 0) copy_out(request.parent_tid, hidden_tid);
  h.runs_threads = true;
  h.loop_fiber.tp = request.tls;
  h.loop_fiber.run = begin_hidden;
  core::make_context(h.loop_fiber, reinterpret_cast<void*>(request.stack - 128));
  hidden_stage = stage::none;
  return hidden_tid;
}

}  // namespace

bool hub_thread_call(frame& f, long& result) noexcept {
  if (__builtin_expect(hidden_stage == stage::none, 1)) return false;
  if (weft_this_hub != core::hubs[0]) return false;
  if (hidden_stage == stage::catching) {
    if (f.rax == SYS_rt_sigaction) {
      // The process's first pthread_create brings libc's own handlers with it (late_init), of the signal that is our kick, too.
      call c = call_of(f);
      result = sys_rt_sigaction(c);
      return true;
    }
    if (f.rax != SYS_clone && f.rax != SYS_clone3) return false;
    result = catch_clone(f);
    return true;
  }
  // start_thread registers per-thread things with the kernel, whose thread this is not.
  switch (f.rax) {
    case SYS_rseq:
      disown_rseq(reinterpret_cast<void*>(f.rdi));
      result = 0;
      return true;
    case SYS_set_robust_list:
    case SYS_rt_sigprocmask:
      result = 0;
      return true;
    default:
      return false;
  }
}

bool is_hub_thread(int tid) noexcept {
  if (tid == hidden_tid && tid != 0) return true;
  const unsigned count = core::hub_count.load(std::memory_order_acquire);
  for (unsigned i = 1; i < count; ++i) {
    if (core::hubs[i]->kernel_tid.load(std::memory_order_relaxed) == tid) return true;
  }
  return false;
}

core::hub* add_hub_thread() noexcept {
  core::hub* const h = core::make_hub();
  if (h == nullptr) return nullptr;
  if (!make_thread(carrier_main, h)) {
    core::drop_last_hub();
    return nullptr;
  }
  // Until its OS thread can be signalled and wakened it is no hub to place anybody on.
  while (h->kernel_tid.load(std::memory_order_acquire) == 0) base::raw_syscall(SYS_sched_yield);
  return h;
}

bool make_hub_threads(unsigned wanted) noexcept {
  hidden_stage = stage::catching;
  const bool caught = make_thread(hidden_main, nullptr);
  hidden_stage = stage::none;
  if (!caught) return false;
  while (core::hub_count.load(std::memory_order_relaxed) < wanted && add_hub_thread() != nullptr) {
  }
  if (const unsigned made = core::hub_count.load(std::memory_order_relaxed); made < wanted) {
    base::message m;
    m << made << " of " << wanted << " hubs could be made: no memory, descriptors or threads for more";
    base::say(m);
  }
  return true;
}

}  // namespace weft::shim
