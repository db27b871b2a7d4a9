// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// The program's memory, touched on its behalf: where the kernel would say EFAULT these return false instead of raising
// SIGSEGV. The fault handler knows their instructions by address (weft_user_access_begin..end) and resumes at
// weft_user_access_fault. Never with a lock held that the fault handler needs.
extern "C" {
extern const char weft_user_access_begin[];
extern const char weft_user_access_end[];
extern const char weft_user_access_fault[];

bool weft_user_copy(void* to, const void* from, std::size_t bytes) noexcept;
bool weft_user_load32(const std::uint32_t* from, std::uint32_t* value) noexcept;
/// If *at is *expected stores desired; else stores what it found into *expected. false only for a fault: the caller
/// compares.
bool weft_user_cas32(std::uint32_t* at, std::uint32_t* expected, std::uint32_t desired) noexcept;
}

namespace weft::shim {

template <class T>
inline bool copy_in(T& value, const void* from) noexcept {
  return weft_user_copy(&value, from, sizeof(T));
}
template <class T>
inline bool copy_out(void* to, const T& value) noexcept {
  return weft_user_copy(to, &value, sizeof(T));  // NOLINT(bugprone-sizeof-expression): a pointer is copied as itself
}

}  // namespace weft::shim
