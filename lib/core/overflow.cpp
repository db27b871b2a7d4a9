// SPDX-License-Identifier: MIT
#include "core/overflow.hpp"

#include <limits.h>
#include <signal.h>
#include <ucontext.h>

#include "base/memory.hpp"
#include "base/message.hpp"
#include "base/syscall.hpp"
#include "core/code_place.hpp"

namespace weft::core {

namespace {

constexpr std::uintptr_t reach = 64 * 1024;
// The kernel's frame alone takes 11 KiB where a thread uses AMX; pages that are not touched cost nothing.
constexpr std::size_t handler_stack = 64 * 1024;

std::uintptr_t bottom_of(const context::stack& s) noexcept { return reinterpret_cast<std::uintptr_t>(s.top) - s.size; }

bool read_from_stack(frame_link& to, std::uintptr_t from, const void* context) noexcept {
  const auto& stack = *static_cast<const context::stack*>(context);
  if (from % sizeof from != 0 || from < bottom_of(stack)) return false;
  if (from > reinterpret_cast<std::uintptr_t>(stack.top) - sizeof to) return false;
  to = *reinterpret_cast<const frame_link*>(from);
  return true;
}

void on_fault(int signum, siginfo_t* info, void* context) {
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  const bool sent = info->si_code <= 0;  // by a process, not for what this thread did
  if (const hub* const h = weft_this_hub; h != nullptr && !sent) {
    report_overflow(*h->current,
                    {reinterpret_cast<std::uintptr_t>(info->si_addr), static_cast<std::uintptr_t>(registers[REG_RIP]),
                     static_cast<std::uintptr_t>(registers[REG_RSP]), static_cast<std::uintptr_t>(registers[REG_RBP])});
  }
  struct sigaction natural {};
  natural.sa_handler = SIG_DFL;
  sigaction(signum, &natural, nullptr);
  // Behind this handler the kernel acts: when the instruction is tried again, or on the signal that comes again.
  if (sent) base::raw_syscall(SYS_tgkill, base::raw_syscall(SYS_getpid), base::raw_syscall(SYS_gettid), signum);
}

void handle_faults() noexcept {
  struct sigaction now {};
  if (sigaction(SIGSEGV, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return;
  now = {};
  now.sa_sigaction = on_fault;
  now.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &now, nullptr);
}

}  // namespace

bool touches_stack_end(const fault_place& at) noexcept {
  return at.address + reach > at.sp && at.address < at.sp + reach;
}

void say_frames(const fault_place& at, bool (*read)(frame_link& to, std::uintptr_t from, const void* context) noexcept,
                const void* context) noexcept {
  base::fixed_text<PIPE_BUF> lines;
  add_frame(lines, at.ip);
  frame_link link{};
  std::uintptr_t bp = at.bp;
  for (int depth = 0; depth < 12 && read(link, bp, context); ++depth) {
    if (link.ret == 0) break;
    add_frame(lines, link.ret);
    if (link.next <= bp) break;
    bp = link.next;
  }
  base::write_block(lines.view());
}

void report_overflow(const fiber& f, const fault_place& at) noexcept {
  if (!f.stack || !touches_stack_end(at)) return;
  const std::uintptr_t bottom = bottom_of(f.stack);
  if (at.address >= bottom || at.address + reach < bottom) return;
  base::message m;
  m << "stack overflow in fiber " << f.id << " \"" << static_cast<const char*>(f.name) << "\": its "
    << f.stack.size / 1024
    << " KiB are used up. Give it more (fiber_attributes::stack_size), or look for a recursion without end";
  base::say(m);
  say_frames(at, read_from_stack, &f.stack);
}

// By the system call itself: under the shim libc's is for the program's threads.
void use_fault_stack(void*& stack) noexcept {
  if (stack == nullptr) stack = base::map_pages(handler_stack);
  if (stack == nullptr) return;
  stack_t now{};
  now.ss_sp = stack;
  now.ss_size = handler_stack;
  base::raw_syscall(SYS_sigaltstack, &now, nullptr);
}

void expect_overflows(hub& h) noexcept {
  handle_faults();
  stack_t now{};
  if (sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
  use_fault_stack(h.fault_stack);
}

void expect_no_overflows(hub& h) noexcept {
  stack_t now{};
  if (h.fault_stack == nullptr || sigaltstack(nullptr, &now) != 0 || now.ss_sp != h.fault_stack) return;
  now = {};
  now.ss_flags = SS_DISABLE;
  sigaltstack(&now, nullptr);
}

}  // namespace weft::core
