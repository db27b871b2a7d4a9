// SPDX-License-Identifier: MIT
#pragma once

#include <sys/syscall.h>

#include <type_traits>

namespace weft::base {

namespace detail {
template <class T>
inline long syscall_word(T value) noexcept {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}
}  // namespace detail

/// A system call made by an instruction of our own, so that it is never seen by Weft's patched sites and touches
/// neither errno nor cancellation. Returns what the kernel returned: a value, or -errno (see syscall(2), "Architecture
/// calling conventions").
template <class... Args>
inline long raw_syscall(long number, Args... args) noexcept {
  static_assert(sizeof...(Args) <= 6, "a system call takes at most six arguments");
  const long a[7] = {detail::syscall_word(args)..., 0};
#if defined(__x86_64__)
  long result = number;
  register long r10 asm("r10") = a[3];
  register long r8 asm("r8") = a[4];
  register long r9 asm("r9") = a[5];
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#else
#error "Weft has system calls for x86-64 only so far"
#endif
}

/// Whether a raw result stands for an error (the kernel's range, include/linux/err.h).
constexpr bool is_error(long result) noexcept {
  return static_cast<unsigned long>(result) >= static_cast<unsigned long>(-4095L);
}

}  // namespace weft::base
