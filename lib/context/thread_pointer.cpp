// SPDX-License-Identifier: MIT
#include "context/thread_pointer.hpp"

#include <sys/auxv.h>

#include "base/syscall.hpp"

namespace weft::context {

bool has_fsgsbase = false;

void detect_fsgsbase() noexcept {
  constexpr unsigned long hwcap2_fsgsbase = 2;  // arch/x86/include/uapi/asm/hwcap2.h
  has_fsgsbase = (getauxval(AT_HWCAP2) & hwcap2_fsgsbase) != 0;
}

void set_thread_pointer_slow(std::uintptr_t tp) noexcept {
  constexpr int arch_set_fs = 0x1002;  // arch/x86/include/uapi/asm/prctl.h
  base::raw_syscall(SYS_arch_prctl, arch_set_fs, tp);
}

}  // namespace weft::context
