// SPDX-License-Identifier: MIT
#include "shim/arch/x86_64/signal_frame.hpp"

#include <cstring>

#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

// arch/x86/include/uapi/asm/ucontext.h and sigcontext.h; the selectors are those of every 64-bit program.
constexpr unsigned long context_flags = 2 | 4;  // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
constexpr greg_t selectors = 0x33 | static_cast<greg_t>(0x2b) << 48;

// struct rt_sigframe, arch/x86/include/asm/sigframe.h; the kernel's ucontext ends behind one word of mask.
constexpr std::size_t kernel_context_size = offsetof(ucontext_t, uc_sigmask) + sizeof(signal_set);
struct kernel_frame {
  void (*restorer)();
  alignas(8) unsigned char context[kernel_context_size];
  siginfo_t info;
};
static_assert(offsetof(kernel_frame, context) == 8 && kernel_context_size == 304);

// The words with which the kernel says that more than fxsave's 512 bytes were saved (struct _fpx_sw_bytes).
constexpr std::uint32_t xstate_magic = 0x46505853;
constexpr std::size_t xstate_words = 464;

constexpr std::uint64_t direction_and_trap = 1u << 10 | 1u << 8 | 1u << 16;  // DF, TF, RF

std::size_t fpu_size(const void* fpu) noexcept {
  std::uint32_t words[2];
  std::memcpy(words, static_cast<const char*>(fpu) + xstate_words, sizeof words);
  return words[0] == xstate_magic ? words[1] : 512;
}

}  // namespace

void describe_call(call_context& to, const frame& f, std::uint64_t ip, std::uint64_t ax) noexcept {
  std::memset(&to.context, 0, sizeof to.context);
  to.context.uc_flags = context_flags;
  greg_t* r = to.context.uc_mcontext.gregs;
  const auto put = [r](int index, std::uint64_t value) { r[index] = static_cast<greg_t>(value); };
  put(REG_R8, f.r8);
  put(REG_R9, f.r9);
  put(REG_R10, f.r10);
  put(REG_R11, 0x246);
  put(REG_R12, f.r12);
  put(REG_R13, f.r13);
  put(REG_R14, f.r14);
  put(REG_R15, f.r15);
  put(REG_RDI, f.rdi);
  put(REG_RSI, f.rsi);
  put(REG_RBP, f.rbp);
  put(REG_RBX, f.rbx);
  put(REG_RDX, f.rdx);
  put(REG_RAX, ax);
  put(REG_RCX, ip);
  put(REG_RSP, f.sp);
  put(REG_RIP, ip);
  put(REG_EFL, 0x246);  // what a system call returns with: interrupts on, and the result of a cmp
  r[REG_CSGSFS] = selectors;
  asm volatile("fxsave64 %0" : "=m"(to.fpu));
  std::memset(to.fpu + xstate_words, 0, 512 - xstate_words);
  to.context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(to.fpu);
}

std::size_t frame_size(const ucontext_t& at) noexcept {
  constexpr std::size_t alignment = 64 + 16 + 8;
  return sizeof(kernel_frame) + alignment + (at.uc_mcontext.fpregs != nullptr ? fpu_size(at.uc_mcontext.fpregs) : 0);
}

bool move_frame(ucontext_t& at, const siginfo_t& info, std::uint64_t sp,
                void (*enter)(int, siginfo_t*, void*)) noexcept {
  kernel_frame moved;
  void* const fpu = at.uc_mcontext.fpregs;
  if (fpu != nullptr) {
    const std::size_t size = fpu_size(fpu);
    sp = (sp - size) & ~std::uint64_t{63};
    if (!weft_user_copy(reinterpret_cast<void*>(sp), fpu, size)) return false;
  }
  ucontext_t copy;
  std::memcpy(&copy, &at, kernel_context_size);
  if (fpu != nullptr) copy.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(sp);
  sp = ((sp - sizeof moved) & ~std::uint64_t{15}) - 8;
  auto* to = reinterpret_cast<kernel_frame*>(sp);
  moved.restorer = weft_signal_restorer;
  std::memcpy(moved.context, &copy, kernel_context_size);
  moved.info = info;
  if (!weft_user_copy(to, &moved, sizeof moved)) return false;
  greg_t* r = at.uc_mcontext.gregs;
  r[REG_RDI] = info.si_signo;
  r[REG_RSI] = reinterpret_cast<greg_t>(&to->info);
  r[REG_RDX] = reinterpret_cast<greg_t>(&to->context);
  r[REG_RAX] = 0;
  r[REG_RSP] = static_cast<greg_t>(sp);
  r[REG_RIP] = reinterpret_cast<greg_t>(enter);
  r[REG_EFL] &= ~static_cast<greg_t>(direction_and_trap);
  return true;
}

}  // namespace weft::shim
