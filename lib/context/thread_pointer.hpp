// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace weft::context {

/// Whether the kernel lets user code write the fs base itself (AT_HWCAP2 bit 1, Linux 5.9+, Ivy Bridge+). Set once by
/// `detect_fsgsbase`, before the first thread fiber.
extern bool has_fsgsbase;
void detect_fsgsbase() noexcept;

/// arch_prctl(ARCH_SET_FS), for machines without FSGSBASE: about 15 times dearer than the instruction.
void set_thread_pointer_slow(std::uintptr_t tp) noexcept;

/// The address that `thread_local` variables are found by (fs:0 holds it itself: the x86-64 TLS ABI).
inline std::uintptr_t thread_pointer() noexcept {
  std::uintptr_t tp;
  asm volatile("mov %%fs:0, %0" : "=r"(tp));
  return tp;
}

/// Makes another thread's identity (errno, thread_local, pthread_self) the current one. The caller must touch nothing
/// thread-local between this and the switch to that thread's stack.
inline void set_thread_pointer(std::uintptr_t tp) noexcept {
  if (__builtin_expect(has_fsgsbase, 1)) {
    asm volatile("wrfsbase %0" : : "r"(tp) : "memory");
  } else {
    set_thread_pointer_slow(tp);
  }
}

}  // namespace weft::context
