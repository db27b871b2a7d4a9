// SPDX-License-Identifier: MIT
#include "shim/threads.hpp"

#include <linux/futex.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "base/memory.hpp"
#include "context/thread_pointer.hpp"
#include "core/cancel.hpp"
#include "core/fork.hpp"
#include "core/patching.hpp"
#include "core/runtime.hpp"
#include "shim/fd.hpp"
#include "shim/futex.hpp"
#include "shim/hub_threads.hpp"
#include "shim/identity.hpp"
#include "shim/native.hpp"
#include "shim/outsiders.hpp"
#include "shim/process.hpp"
#include "shim/process_report.hpp"
#include "shim/signal_masks.hpp"
#include "shim/signals.hpp"
#include "shim/start.hpp"
#include "shim/tids.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// Blocks of threads that have ended, by the hub they belong to for good (see fiber::renew).
struct block_list {
  base::spinlock lock;
  core::fiber* first = nullptr;
};
constinit block_list unused[core::max_hubs];
constinit base::slab blocks(sizeof(thread));

std::atomic<bool> threaded{false};

constinit thread* survivor = nullptr;  // of a fork, until the child is taken over

thread* take_block(core::hub& home) noexcept {
  block_list& list = unused[home.index];
  {
    const std::lock_guard guard(list.lock);
    if (core::fiber* f = list.first) {
      list.first = f->next;
      f->renew();
      return static_cast<thread*>(f);
    }
  }
  void* storage = blocks.take();
  if (storage == nullptr) return nullptr;
  auto* t = new (storage) thread;
  t->home = &home;
  t->light = false;
  return t;
}

void give_block(thread& t) noexcept {
  block_list& list = unused[t.home->index];
  const std::lock_guard guard(list.lock);
  t.next = list.first;
  list.first = &t;
}

// A new thread's first steps, on its own stack and storage.
void begin_thread(core::fiber& f) noexcept {
  auto& t = static_cast<thread&>(f);
  t.hooked = 0;
  weft_resume(&t.start, t.start_sp, 0);
}

// Who shared the storage of @p owner, which ends now and whose storage becomes another thread's or nobody's: goes on with that of the
// hub's loop, where our stubs find what they need. Natively its pointer then leads to what is gone.
void take_back_storage(thread& owner) noexcept {
  for_each_thread(
      [](thread& other, void* of) noexcept {
        const thread& ended = *static_cast<thread*>(of);
        if (other.borrows_storage && other.tp == ended.tp) other.tp = ended.home->loop_fiber.tp;
      },
      &owner);
}

// The kernel's part of a thread's end (kernel/fork.c, mm_release), off its stack: the joiner that the cleared number
// wakes may free or reuse that stack at once.
void end_thread(core::fiber& f, core::hub& h) noexcept {
  auto& t = static_cast<thread&>(f);
  h.deadlines.drop(t);
  forget_signals(t);
  forget_comm(t);
  t.unlink();
  --h.live;
  h.load.fetch_sub(1, std::memory_order_relaxed);
  if (t.lends_storage && !t.borrows_storage) take_back_storage(t);
  int* const cleared = t.clear_tid;
  // Cleared while the number still says whose it is: a joiner that comes in between must not take it for a word that other
  // processes wake.
  const bool waited_for = cleared != nullptr && copy_out(cleared, 0);
  free_tid(t);
  t.retire();
  give_block(t);
  if (waited_for) futex_wake(reinterpret_cast<std::uint32_t*>(cleared), 1, ~0U, false);
}

long make_thread(call& c, const clone_request& request, const core::thread_request* asked) noexcept {
  core::fiber* const task = asked != nullptr ? asked->task : nullptr;
  // Without storage of its own it has the caller's, which names the hub as well.
  const bool borrows = (request.flags & CLONE_SETTLS) == 0;
  core::hub& home = task != nullptr ? *task->home : borrows ? *weft_this_hub : core::least_loaded_hub();
  thread* t = take_block(home);
  if (t == nullptr) return -EAGAIN;
  if (take_tid(*t) == 0) {
    give_block(*t);
    return -EAGAIN;
  }
  t->tp = borrows ? self().tp : request.tls;
  t->borrows_storage = borrows;
  t->lends_storage = false;
  if (borrows) self().lends_storage = true;
  t->run = begin_thread;
  t->end = end_thread;
  t->hooked = 1;
  t->id = static_cast<std::uint64_t>(t->tid);
  t->start = *c.at;
  t->start_sp = request.stack;
  t->stack_bottom = request.stack_bottom;
  t->clear_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : nullptr;
  t->robust = nullptr;
  t->robust_size = 0;
  inherit_identity(*t, self());
  inherit_signals(*t, self());
  if (task != nullptr) {
    t->cooperative = true;
    t->id = task->id;
    std::memcpy(t->name, task->name, sizeof t->name);
    core::lend_kill(*task, *t);
  }
  if (!borrows) write_this_hub(t->tp, &home);
  const int tid = t->tid;
  if ((request.flags & CLONE_PARENT_SETTID) != 0) copy_out(request.parent_tid, tid);
  if ((request.flags & CLONE_CHILD_SETTID) != 0) copy_out(request.child_tid, tid);
  core::make_context(*t, reinterpret_cast<void*>(request.stack - 128));
  count_thread(*weft_this_hub);
  core::launch(*t);
  return tid;
}

long clone_any(call& c) noexcept {
  const clone_request request = read_clone_request(*c.at);
  if (is_thread_clone(request.flags) && request.stack != 0) {
    const core::thread_request* const asked = std::exchange(self().asks, nullptr);
    return asked != nullptr && asked->native ? native_call(*c.at) : make_thread(c, request, asked);
  }
  return clone_process(c, request);
}

}  // namespace

clone_request read_clone_request(const frame& f) noexcept {
  if (f.rax == SYS_clone) {
    return {f.rdi & ~std::uint64_t{CSIGNAL}, f.rsi, 0, f.r8, reinterpret_cast<int*>(f.rdx),
            reinterpret_cast<int*>(f.r10)};
  }
  if (f.rax == SYS_vfork) return {.flags = CLONE_VM | CLONE_VFORK};
  clone_args args;
  if (f.rax != SYS_clone3 || f.rsi < CLONE_ARGS_SIZE_VER0 ||
      !weft_user_copy(&args, reinterpret_cast<const void*>(f.rdi), CLONE_ARGS_SIZE_VER0)) {
    return {};
  }
  return {args.flags,
          args.stack == 0 ? 0 : args.stack + args.stack_size,
          args.stack,
          args.tls,
          reinterpret_cast<int*>(args.parent_tid),
          reinterpret_cast<int*>(args.child_tid)};
}

bool is_thread_clone(std::uint64_t flags) noexcept {
  constexpr std::uint64_t wanted = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  constexpr std::uint64_t known = wanted | CLONE_SETTLS | CLONE_SYSVSEM | CLONE_IO | CLONE_PARENT_SETTID |
                                  CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED;
  return (flags & wanted) == wanted && (flags & ~known) == 0;
}

void write_this_hub(std::uint64_t tls, core::hub* h) noexcept {
  const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(&weft_this_hub) - context::thread_pointer();
  *reinterpret_cast<core::hub**>(tls + offset) = h;
}

void keep_survivor(thread& me) noexcept { survivor = &me; }
bool has_survivor() noexcept { return survivor != nullptr; }

thread* adopt_main_thread(core::hub& h) noexcept {
  const bool survived = survivor != nullptr;
  thread* const main = survived ? std::exchange(survivor, nullptr) : take_block(h);
  WEFT_REQUIRE(main != nullptr);
  main->tp = context::thread_pointer();
  main->is_main = true;
  main->start_sp = getauxval(AT_RANDOM);  // among what the kernel puts on top of its stack
  main->hooked = 1;
  main->end = end_thread;
  main->clear_tid = nullptr;
  core::adopt_survivor(h, *main);
  enter_kernel_tid(*main, h.kernel_tid.load(std::memory_order_relaxed));
  if (!survived) {
    main->id = static_cast<std::uint64_t>(main->tid);
    main->cooperative = from_inside();
  }
  adopt_identity(*main);
  threaded.store(true, std::memory_order_release);
  return main;
}

void abandon_main_thread(thread& main) noexcept {
  restore_native_signals(main);
  become_solo();
}

bool is_threaded() noexcept { return threaded.load(std::memory_order_acquire); }

namespace {

void forget_parent() noexcept {
  forget_fds();
  forget_futexes();
  forget_tids();
  forget_counts();
  forget_outsiders();
  for (block_list& list : unused) list.first = nullptr;
  threaded.store(false, std::memory_order_release);
  dispatch_solo();
}

}  // namespace

void become_solo() noexcept {
  forget_parent();
  core::forget_after_fork();
  allow_start_again();
}

void become_light(signal_set mask) noexcept {
  forget_parent();
  forget_signals_of_parent();
  block_in_kernel(mask);
  refuse_start();
}

long sys_clone(call& c) noexcept { return clone_any(c); }
long sys_clone3(call& c) noexcept { return clone_any(c); }

long sys_exit(call& c) noexcept {
  thread& me = self();
  if (live_threads() == 1) {
    // libc's own count includes the hubs' hidden threads, so it did not see that this was the last (nptl's start_thread
    // then calls exit(0)).
    me.hooked = 0;
    exit(static_cast<int>(c.args[0]));
  }
  end_robust_list(me);
  core::finish();
}

long sys_exit_group(call& c) noexcept {
  report_at_exit();
  return pass(c);
}

}  // namespace weft::shim
