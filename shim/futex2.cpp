// SPDX-License-Identifier: MIT
// The calls that came after futex(2): a wait for one of several words (futex_waitv, Linux 5.16), and its three operations as calls of
// their own (Linux 6.7). See kernel/futex/syscalls.c.
#include <errno.h>
#include <linux/futex.h>

#include <mutex>
#include <new>

#include "base/memory.hpp"
#include "core/scheduler.hpp"
#include "shim/futex.hpp"
#include "shim/futex_table.hpp"
#include "shim/helper.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"

namespace weft::shim {

namespace {

constexpr std::uint32_t size_32 = 2;
constexpr std::uint32_t known_flags = size_32 | FUTEX_PRIVATE_FLAG;

// Words of other sizes, on a node of memory...: what there will be is the kernel's to know.
bool is_understood(std::uint64_t flags) noexcept { return (flags & ~std::uint64_t{known_flags}) == 0; }
bool is_private(std::uint64_t flags) noexcept { return (flags & FUTEX_PRIVATE_FLAG) != 0; }
bool is_word(std::uint64_t value) noexcept { return value >> 32 == 0; }

long wait_in_kernel(call& c) noexcept { return pass_counted(c, offload); }

long read_clock(int clock, futex_clock& into) noexcept {
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) return -EINVAL;
  into = clock == CLOCK_REALTIME ? futex_clock::realtime : futex_clock::monotonic;
  return 0;
}

unsigned long command(int which, std::uint64_t flags) noexcept {
  return static_cast<unsigned>(which) | (is_private(flags) ? FUTEX_PRIVATE_FLAG : 0U);
}

// The words that one call waits for, each with its place in the table. A block of memory, since a stack may have little room.
class waits {
 public:
  explicit waits(unsigned count) noexcept
      : words_(
            static_cast<futex_waitv*>(base::reallocate(nullptr, count * (sizeof(futex_waitv) + sizeof(futex_waiter))))),
        waiters_(reinterpret_cast<futex_waiter*>(words_ + count)),
        count_(count) {
    static_assert(alignof(futex_waiter) <= alignof(futex_waitv));
    for (unsigned i = 0; words_ != nullptr && i < count; ++i) new (&waiters_[i]) futex_waiter;
  }
  waits(const waits&) = delete;
  waits& operator=(const waits&) = delete;
  ~waits() {
    if (words_ != nullptr) base::reallocate(words_, 0);
  }

  bool ready() const noexcept { return words_ != nullptr; }

  // @return 0, or an error, or 1 if the kernel has to wait: for other processes, or for what only it understands
  long read(const futex_waitv* user) noexcept {
    bool for_kernel = false;
    for (unsigned i = 0; i < count_; ++i) {
      futex_waitv& w = words_[i];
      if (!copy_in(w, user + i)) return -EFAULT;
      if (!is_understood(w.flags)) return 1;
      if ((w.flags & size_32) == 0 || w.__reserved != 0 || !is_word(w.val) || (w.uaddr & 3) != 0) return -EINVAL;
      for_kernel = for_kernel || !is_private(w.flags);
    }
    return for_kernel ? 1 : 0;
  }

  // Queues at each word. @return false if one has not the value that was asked for; @p result is then what the call returns, which is
  // the number of another that was woken meanwhile
  bool queue(core::waker who, long& result) noexcept {
    for (unsigned i = 0; i < count_; ++i) {
      futex_waiter& w = waiters_[i];
      w.at = reinterpret_cast<std::uint32_t*>(words_[i].uaddr);
      w.bits = ~0U;
      w.who = who;
      long error = 0;
      {
        futex_bucket& bucket = futex_bucket_of(w.at);
        const std::lock_guard guard(bucket.lock);
        std::uint32_t value;
        if (!weft_user_load32(w.at, &value)) {
          error = -EFAULT;
        } else if (value != words_[i].val) {
          error = -EAGAIN;
        } else {
          w.queued = true;
          bucket.waiters.push_back(&w);
        }
      }
      if (error == 0) continue;
      const long woken = withdraw(i);
      result = woken >= 0 ? woken : error;
      return false;
    }
    return true;
  }

  // Takes the first @p n out. @return the last of them that had been woken, as the kernel tells; -1 if none was
  long withdraw(unsigned n) noexcept {
    long woken = -1;
    for (unsigned i = 0; i < n; ++i) {
      if (!futex_withdraw(waiters_[i])) woken = i;
    }
    return woken;
  }
  long withdraw() noexcept { return withdraw(count_); }

 private:
  futex_waitv* words_;
  futex_waiter* waiters_;
  unsigned count_;
};

}  // namespace

long sys_futex_waitv(call& c) noexcept {
  const auto count = c.arg<unsigned>(1);
  const auto* const user = c.arg<const futex_waitv*>(0);
  if (c.arg<unsigned>(2) != 0 || count == 0 || count > FUTEX_WAITV_MAX || user == nullptr) return -EINVAL;
  std::int64_t due = core::timers::never;
  if (c.args[3] != 0) {
    futex_clock clock;
    if (const long error = read_clock(c.arg<int>(4), clock)) return error;
    if (const long error = read_futex_due(c.arg<const timespec*>(3), clock, due)) return error;
  }
  waits all(count);
  if (!all.ready()) return -ENOMEM;
  if (const long unfit = all.read(user)) return unfit > 0 ? wait_in_kernel(c) : unfit;
  const core::waker who = core::prepare_park();
  long result;
  if (!all.queue(who, result)) return result;
  const int reason = core::park(who, due, core::wait_kind::object, user, /*interruptible=*/true);
  if (const long woken = all.withdraw(); woken >= 0) return woken;
  return reason == core::timed_out ? -ETIMEDOUT : restart_sys;
}

long sys_futex_wait(call& c) noexcept {
  const std::uint64_t value = c.args[1], mask = c.args[2], flags = c.arg<unsigned>(3);
  if (!is_understood(flags)) return wait_in_kernel(c);
  if ((flags & size_32) == 0 || !is_word(value) || !is_word(mask)) return -EINVAL;
  unsigned long how = command(FUTEX_WAIT_BITSET, flags);
  if (c.args[4] != 0) {
    futex_clock clock;
    if (const long error = read_clock(c.arg<int>(5), clock)) return error;
    if (clock == futex_clock::realtime) how |= FUTEX_CLOCK_REALTIME;
  }
  call same{SYS_futex, {c.args[0], how, value, c.args[4], 0, mask}, c.at};
  const long result = sys_futex(same);
  return result == restart_block ? restart_sys : result;  // the time-out is absolute
}

long wake_by_futex2(call& c) noexcept {
  if (c.nr == nr_futex_wake) {
    const std::uint64_t mask = c.args[1], flags = c.arg<unsigned>(3);
    if (!is_understood(flags)) return pass(c);
    if ((flags & size_32) == 0 || !is_word(mask)) return -EINVAL;
    // Unlike futex(2), which wakes one for none.
    if (c.arg<int>(2) == 0 && mask != 0 && (c.args[0] & 3) == 0) return 0;
    call same{SYS_futex, {c.args[0], command(FUTEX_WAKE_BITSET, flags), c.args[2], 0, 0, mask}, c.at};
    return sys_futex(same);
  }
  futex_waitv words[2];
  if (c.arg<unsigned>(1) != 0 || c.args[0] == 0) return -EINVAL;
  if (!copy_in(words, c.arg<const void*>(0))) return -EFAULT;
  for (const futex_waitv& w : words) {
    if (!is_understood(w.flags)) return pass(c);
    if ((w.flags & size_32) == 0 || w.__reserved != 0 || !is_word(w.val)) return -EINVAL;
  }
  call same{SYS_futex,
            {words[0].uaddr, command(FUTEX_CMP_REQUEUE, words[0].flags & words[1].flags), c.args[2], c.args[3],
             words[1].uaddr, words[0].val},
            c.at};
  return sys_futex(same);
}

}  // namespace weft::shim
