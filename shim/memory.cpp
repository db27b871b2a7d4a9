// SPDX-License-Identifier: MIT
#include "shim/memory.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include "context/guard.hpp"
#include "shim/late_objects.hpp"
#include "shim/object_record.hpp"
#include "shim/stack_arena.hpp"
#include "shim/start.hpp"
#include "shim/thread.hpp"

namespace weft::shim {

namespace {

// What nptl/allocatestack.c asks for, and hardly anybody else.
bool is_thread_stack(const call& c) noexcept {
  constexpr int wanted = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;
  const auto flags = c.arg<int>(3) & ~MAP_NORESERVE;
  return flags == wanted && c.args[0] == 0 && c.arg<int>(2) == PROT_NONE;
}

// The guard at the slot's bottom is of that size from now on.
void set_guard(const stack_arena::slot& s, std::size_t bytes) noexcept {
  stack_arena::protection now = thread_stacks.protected_as(s);
  if (now.guard == bytes) return;
  auto* const bottom = reinterpret_cast<void*>(s.bottom);
  if (now.guard != 0) context::remove_guard(bottom, now.guard, now.kind);
  now.kind = bytes != 0 ? context::install_guard(bottom, bytes) : context::guard_kind::none;
  now.guard = now.kind != context::guard_kind::none ? bytes : 0;
  thread_stacks.note(s, now);
}

// What a new owner must not find: pages that were protected after the first time, as nptl does to enlarge a guard.
void restore_protection(const stack_arena::slot& s) noexcept {
  if (!thread_stacks.protected_as(s).altered) return;
  set_guard(s, 0);
  base::raw_syscall(SYS_mprotect, s.bottom, s.size, PROT_READ | PROT_WRITE);
  thread_stacks.note(s, {});
}

bool is_executable_file(const call& c) noexcept {
  return (c.arg<int>(2) & PROT_EXEC) != 0 && (c.arg<int>(3) & MAP_ANONYMOUS) == 0;
}

// Whether @p t ends and gives its stack back, on a stack that is none of ours: of the first thread, whose stack libc mapped
// before there were any and keeps for the next ones. nptl leaves PTHREAD_STACK_MIN below the pointer and takes all the rest; any
// other shape is the program's own wish.
bool is_advice_of_an_end(const thread& t, std::uint64_t from, std::uint64_t bytes, std::uint64_t sp) noexcept {
  constexpr std::uint64_t kept = 16384;
  constexpr std::uint64_t page = 4096;
  if (t.stack_bottom == 0 || from != t.stack_bottom || sp <= from || sp > t.start_sp || bytes > sp - from) return false;
  const std::uint64_t left = sp - from - bytes;
  return left >= kept - page && left < kept + 2 * page;
}

}  // namespace

long sys_mmap(call& c) noexcept {
  if (__builtin_expect(is_executable_file(c), 0)) {
    const long at = pass(c);
    if (!base::is_error(at)) note_text(c.arg<int>(4), static_cast<unsigned long>(at), c.args[5]);
    return at;
  }
  if (!is_thread_stack(c) || !settings().groups.has(base::patch_group::memory)) return pass(c);
  const stack_arena::slot s = thread_stacks.take(c.args[1]);
  return s ? static_cast<long>(s.bottom) : pass(c);
}

long sys_munmap(call& c) noexcept {
  const stack_arena::slot s = thread_stacks.find(c.args[0]);
  if (!s || s.bottom != c.args[0] || s.size != c.args[1]) {
    forget_objects({c.args[0], c.args[0] + c.args[1]});
    return pass(c);
  }
  // Zero pages for the next one, as a fresh mapping has; the guard stays where it is.
  base::raw_syscall(SYS_madvise, s.bottom, s.size, MADV_DONTNEED);
  restore_protection(s);
  thread_stacks.give(s);
  return 0;
}

long sys_mprotect(call& c) noexcept {
  const std::uint64_t from = c.args[0];
  const std::uint64_t to = from + c.args[1];
  const int access = c.arg<int>(2);
  const stack_arena::slot s = thread_stacks.find(from);
  if (!s) return pass(c);
  const auto readable = PROT_READ | PROT_WRITE;
  stack_arena::protection now = thread_stacks.protected_as(s);
  // What nptl does first with a stack: all of it is accessible, but for the guard below.
  const bool first = !now.used && to == s.bottom + s.size && from % 4096 == 0 && (access & ~PROT_EXEC) == readable;
  if (!first || access != readable) {
    if (const long error = pass(c)) return error;
    now.altered = true;
  }
  now.used = true;
  thread_stacks.note(s, now);
  if (first) {
    set_guard(s, from - s.bottom);
  } else if (access != PROT_NONE && from < s.bottom + now.guard) {
    // It uses one anew that had a larger guard (nptl/allocatestack.c). No protection opens a lightweight one.
    set_guard(s, (from - s.bottom) / 4096 * 4096);
  }
  return 0;
}

long sys_madvise(call& c) noexcept {
  // A thread that ends gives its stack's pages back (nptl's advise_stack_range) although libc keeps the stack for the next
  // one. What lies below a stack pointer holds nothing that anybody may rely on, so that is left undone.
  if (c.arg<int>(2) == MADV_DONTNEED && c.at != nullptr) {
    const stack_arena::slot s = thread_stacks.find(c.args[0]);
    if (s && c.at->rsp() - s.bottom < s.size && c.args[0] + c.args[1] <= c.at->rsp() && c.args[0] % 4096 == 0) return 0;
    if (!s && is_advice_of_an_end(self(), c.args[0], c.args[1], c.at->rsp())) return 0;
  }
  return pass(c);
}

bool find_thread_stack(std::uint64_t address, std::uint64_t& bottom, std::uint64_t& size) noexcept {
  const stack_arena::slot s = thread_stacks.find(address);
  bottom = s.bottom;
  size = s.size;
  return static_cast<bool>(s);
}

std::uint64_t main_stack_limit() noexcept {
  rlimit limit{};
  base::raw_syscall(SYS_prlimit64, 0, RLIMIT_STACK, nullptr, &limit);
  return limit.rlim_cur;
}

}  // namespace weft::shim
