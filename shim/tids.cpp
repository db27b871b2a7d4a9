// SPDX-License-Identifier: MIT
#include "shim/tids.hpp"

#include <sys/auxv.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <mutex>

#include "base/spinlock.hpp"
#include "base/syscall.hpp"
#include "shim/threads.hpp"

namespace weft::shim {

namespace {

constexpr int lowest_base = 1 << 22;  // PID_MAX_LIMIT, include/linux/threads.h
// Futex words hold 30 bits (FUTEX_TID_MASK, include/uapi/linux/futex.h), the number of a thread's clock 28 beside the sign
// (pthread_getcpuclockid; include/linux/posix-timers_types.h).
constexpr int tid_limit = 1 << 28;
constexpr unsigned slots = 1U << 22;  // numbers in circulation; 32 MiB of addresses, touched as used

base::spinlock lock;
std::atomic<thread*>* owners;  // by number - base
int base_tid;
unsigned next_slot;
unsigned slots_used;  // no slot from here on was ever taken
thread* kernel_owner;
std::atomic<unsigned> alive{0};
std::atomic<unsigned> most{0};

// From the process's random bytes (getauxval(3), AT_RANDOM), so that a number of one process means nothing in another.
int random_base() noexcept {
  unsigned bits = 0;
  if (const unsigned long at = getauxval(AT_RANDOM)) std::memcpy(&bits, reinterpret_cast<const void*>(at), sizeof bits);
  bits ^= static_cast<unsigned>(base::raw_syscall(SYS_getpid)) * 2654435761U;
  return lowest_base +
         static_cast<int>(bits % static_cast<unsigned>(tid_limit - lowest_base - static_cast<int>(slots)));
}

bool make_table() noexcept {
  if (owners != nullptr) return true;
  const long pages = base::raw_syscall(SYS_mmap, nullptr, slots * sizeof *owners, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base::is_error(pages)) return false;
  owners = reinterpret_cast<std::atomic<thread*>*>(pages);
  base_tid = random_base();
  return true;
}

void count_birth() noexcept {
  const unsigned now = alive.fetch_add(1, std::memory_order_relaxed) + 1;
  unsigned seen = most.load(std::memory_order_relaxed);
  while (seen < now && !most.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

// With the lock held. The slot stays taken by `owner`, which may be null for a number that no fiber has.
int take_slot(thread* owner, thread* placeholder) noexcept {
  if (!make_table()) return 0;
  for (unsigned tried = 0; tried < slots; ++tried) {
    const unsigned slot = next_slot;
    next_slot = (next_slot + 1) % slots;
    if (owners[slot].load(std::memory_order_relaxed) != nullptr) continue;
    owners[slot].store(owner != nullptr ? owner : placeholder, std::memory_order_release);
    if (slot >= slots_used) slots_used = slot + 1;
    return base_tid + static_cast<int>(slot);
  }
  return 0;
}

constinit char reserved_bytes[64];  // its address owns the numbers that are no fiber's
thread& reserved = reinterpret_cast<thread&>(reserved_bytes);

}  // namespace

int take_tid(thread& owner) noexcept {
  const std::lock_guard guard(lock);
  const int tid = take_slot(&owner, nullptr);
  if (tid != 0) count_birth();
  return owner.tid = tid;
}

int new_tid() noexcept {
  const std::lock_guard guard(lock);
  return take_slot(nullptr, &reserved);
}

void enter_kernel_tid(thread& owner, int tid) noexcept {
  const std::lock_guard guard(lock);
  owner.tid = tid;
  kernel_owner = &owner;
  count_birth();
}

void free_tid(thread& owner) noexcept {
  const std::lock_guard guard(lock);
  if (kernel_owner == &owner) {
    kernel_owner = nullptr;
  } else {
    owners[owner.tid - base_tid].store(nullptr, std::memory_order_release);
  }
  alive.fetch_sub(1, std::memory_order_relaxed);
}

void forget_tids() noexcept {
  for (unsigned slot = 0; slot < slots_used; ++slot) owners[slot].store(nullptr, std::memory_order_relaxed);
  next_slot = slots_used = 0;
  kernel_owner = nullptr;
  alive.store(0, std::memory_order_relaxed);
  most.store(0, std::memory_order_relaxed);
}

thread* find_thread(int tid) noexcept {
  thread* main = kernel_owner;
  if (main != nullptr && main->tid == tid) return main;
  if (owners == nullptr || tid < base_tid || static_cast<unsigned>(tid - base_tid) >= slots) return nullptr;
  thread* found = owners[tid - base_tid].load(std::memory_order_acquire);
  return found == &reserved ? nullptr : found;
}

void for_each_thread(void (*visit)(thread&, void*) noexcept, void* context) noexcept {
  const std::lock_guard guard(lock);
  if (kernel_owner != nullptr) visit(*kernel_owner, context);
  for (unsigned slot = 0; slot < slots_used; ++slot) {
    thread* owner = owners[slot].load(std::memory_order_relaxed);
    if (owner != nullptr && owner != &reserved) visit(*owner, context);
  }
}

unsigned live_threads() noexcept { return alive.load(std::memory_order_relaxed); }
unsigned most_threads() noexcept { return most.load(std::memory_order_relaxed); }

}  // namespace weft::shim
