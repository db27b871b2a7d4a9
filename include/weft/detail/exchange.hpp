// SPDX-License-Identifier: MIT
#pragma once

#include <sys/single_threaded.h>

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace weft::detail {

/// Whether ThreadSanitizer watches: it must see every atomic access.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool is_watched = true;
#elif defined(__has_feature)
inline constexpr bool is_watched = __has_feature(thread_sanitizer);
#else
inline constexpr bool is_watched = false;
#endif

/// Whether an instruction that changes memory needs no bus lock, which is most of what it costs: the process has one thread.
/// libc's own mutex does the same. It stays one instruction, because a signal handler may switch fibers in between any two.
inline bool needs_no_lock() noexcept {
#if defined(__x86_64__)
  return __libc_single_threaded != 0 && !is_watched;
#else
  return false;
#endif
}

/// `word.compare_exchange_strong(expected, desired)` of order acq_rel, or relaxed if it fails; without a bus lock if none is
/// needed.
template <class T>
inline bool exchange_if(std::atomic<T>& word, T& expected, std::type_identity_t<T> desired) noexcept {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__x86_64__)
  if (needs_no_lock()) {
    bool done;
    asm volatile("cmpxchg %[desired], %[word]"
                 : "=@ccz"(done), [word] "+m"(word), "+a"(expected)
                 : [desired] "r"(desired)
                 : "memory");
    return done;
  }
#endif
  return word.compare_exchange_strong(expected, desired, std::memory_order_acq_rel, std::memory_order_relaxed);
}

/// `word.fetch_add(change)` of order acq_rel, as above.
template <class T>
inline T exchange_add(std::atomic<T>& word, std::type_identity_t<T> change) noexcept {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
#if defined(__x86_64__)
  if (needs_no_lock()) {
    asm volatile("xadd %[change], %[word]" : [word] "+m"(word), [change] "+r"(change) : : "memory", "cc");
    return change;
  }
#endif
  return word.fetch_add(change, std::memory_order_acq_rel);
}

}  // namespace weft::detail
