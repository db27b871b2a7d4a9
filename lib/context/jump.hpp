// SPDX-License-Identifier: MIT
#pragma once

#include <boost/context/detail/fcontext.hpp>

namespace weft::context {

using transfer = boost::context::detail::transfer_t;

/// Switches to the context @p to with Boost.Context's jump and hands it @p data.
///
/// On x86-64 by a jump instead of a call: jump_fcontext leaves by `jmp`, never by `ret`, so each call of it would leave an
/// entry in the processor's return stack that no return takes out, and all returns above would be predicted wrongly:
/// half of the time of a switch (bench/switch_bench.cpp).
inline transfer jump(void* to, void* data) noexcept {
#if defined(__x86_64__)
  transfer back;
  asm volatile(
      "add $-128, %%rsp\n\t"  // the red zone, below which the return address may go
      "lea 1f(%%rip), %%rax\n\t"
      "push %%rax\n\t"
      "jmp jump_fcontext@PLT\n"
      "1:\tsub $-128, %%rsp"
      : "=&a"(back.fctx), "=&d"(back.data), "+D"(to), "+S"(data)
      :
      // What a call may change by the ABI.
      : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
  return back;
#else
  return boost::context::detail::jump_fcontext(to, data);
#endif
}

}  // namespace weft::context
