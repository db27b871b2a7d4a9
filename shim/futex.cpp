// SPDX-License-Identifier: MIT
#include "shim/futex.hpp"

#include <errno.h>
#include <linux/futex.h>

#include <atomic>
#include <climits>
#include <mutex>

#include "base/clock.hpp"
#include "core/scheduler.hpp"
#include "shim/futex_table.hpp"
#include "shim/helper.hpp"
#include "shim/thread.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"

namespace weft::shim {

namespace {

// Threads without a hub that sleep in the kernel on some futex: wakes go there only while there are any.
std::atomic<int> native_waiters{0};

constexpr std::int64_t never = core::timers::never;

struct operation {
  int command;
  bool shared;
  bool realtime;
};
operation decode(int op) noexcept {
  return {op & FUTEX_CMD_MASK, (op & FUTEX_PRIVATE_FLAG) == 0, (op & FUTEX_CLOCK_REALTIME) != 0};
}

// The time-out in the call as a point on the monotonic clock: relative for FUTEX_WAIT, absolute for FUTEX_WAIT_BITSET.
long read_due(const call& c, const operation& op, std::int64_t& due) noexcept {
  const futex_clock clock = op.command == FUTEX_WAIT ? futex_clock::relative
                            : op.realtime            ? futex_clock::realtime
                                                     : futex_clock::monotonic;
  return read_futex_due(c.arg<const timespec*>(3), clock, due);
}

// Whether the word is what a joiner waits on: private memory although libc waits for it as shared, because it is the
// kernel that clears and wakes it (nptl/pthread_join_common.c).
bool is_tid_word(const std::uint32_t* at, std::uint32_t value) noexcept {
  const thread* owner = find_thread(static_cast<int>(value));
  return owner != nullptr && owner->clear_tid == reinterpret_cast<const int*>(at);
}

// A word that other processes may share: their wakes reach the kernel's queue alone, so that is where it is waited, by a
// helper thread. Wakes of this process go there too.
long wait_in_kernel(call& c, std::uint32_t expected, std::uint32_t bits, std::int64_t due) noexcept {
  timespec until{due / 1'000'000'000, due % 1'000'000'000};
  call beside{
      SYS_futex,
      {c.args[0], FUTEX_WAIT_BITSET, expected, due == never ? 0 : reinterpret_cast<unsigned long>(&until), 0, bits},
      nullptr};
  const long result = offload(beside);
  if (result != restart_sys || due == never) return result;
  c.resume_due = due;
  return restart_block;
}

long wait(call& c, const operation& op, std::uint32_t bits) noexcept {
  auto* const at = c.arg<std::uint32_t*>(0);
  const auto expected = c.arg<std::uint32_t>(2);
  if (bits == 0) return -EINVAL;
  if ((c.args[0] & 3) != 0) return -EINVAL;
  std::int64_t due = c.resume_due;
  if (due == 0) {
    if (const long error = read_due(c, op, due)) return error;
  }
  if (op.shared && !is_tid_word(at, expected)) {
    // A word that was a joiner's until just now has another value, and nobody would wake it in the kernel (end_thread).
    std::uint32_t value;
    if (!weft_user_load32(at, &value)) return -EFAULT;
    return value == expected ? wait_in_kernel(c, expected, bits, due) : -EAGAIN;
  }
  futex_waiter w;
  w.at = at;
  w.bits = bits;
  futex_bucket& bucket = futex_bucket_of(at);
  bucket.lock.lock();
  std::uint32_t value;
  const bool readable = weft_user_load32(at, &value);
  if (!readable || value != expected) {
    bucket.lock.unlock();
    return readable ? -EAGAIN : -EFAULT;
  }
  w.who = core::prepare_park();
  w.queued = true;
  bucket.waiters.push_back(&w);
  bucket.lock.unlock();
  const int reason = core::park(w.who, due, core::wait_kind::object, at, /*interruptible=*/true);
  if (reason == core::woken) return 0;
  if (!futex_withdraw(w)) {
    // Woken as well: that one must not be lost. A signal stays pending and is delivered behind this call.
    return 0;
  }
  if (reason == core::timed_out) return -ETIMEDOUT;
  if (due == never) return restart_sys;
  c.resume_due = due;
  return restart_block;
}

// Wakes up to `count` waiters on `at`, with the bucket's lock held: a waiter's stack may be gone as soon as it is released.
long wake_waiters(futex_bucket& bucket, const std::uint32_t* at, long count, std::uint32_t bits) noexcept {
  long n = 0;
  for (futex_waiter* w = bucket.waiters.front(); w != nullptr && n < count;) {
    futex_waiter* const after = bucket.waiters.after(w);
    if (w->at == at && (w->bits & bits) != 0) {
      w->unlink();
      w->queued = false;
      core::unpark(w->who);
      ++n;
    }
    w = after;
  }
  return n;
}

bool kernel_has_waiters(bool shared) noexcept { return shared || native_waiters.load(std::memory_order_seq_cst) > 0; }

long kernel_wake(std::uint32_t* at, long count, std::uint32_t bits, bool shared) noexcept {
  return base::raw_syscall(SYS_futex, at, FUTEX_WAKE_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, nullptr,
                           nullptr, bits);
}

long wake_sum(long here, long in_kernel) noexcept { return in_kernel > 0 ? here + in_kernel : here; }

// FUTEX_REQUEUE, FUTEX_CMP_REQUEUE: wakes some of the waiters on one word and moves others to a second one.
long requeue(const call& c, const operation& op, bool compare) noexcept {
  auto* const from = c.arg<std::uint32_t*>(0);
  auto* const to = c.arg<std::uint32_t*>(4);
  const auto wakes = c.arg<int>(2);
  const auto moves = static_cast<int>(c.args[3]);
  if (wakes < 0 || moves < 0 || (c.args[0] & 3) != 0 || (c.args[4] & 3) != 0) return -EINVAL;
  futex_bucket& source = futex_bucket_of(from);
  futex_bucket& target = futex_bucket_of(to);
  long woken = 0;
  long moved = 0;
  {
    const futex_pair_lock guard(source, target);
    if (compare) {
      std::uint32_t value;
      if (!weft_user_load32(from, &value)) return -EFAULT;
      if (value != static_cast<std::uint32_t>(c.args[5])) return -EAGAIN;
    }
    woken = wake_waiters(source, from, wakes, ~0U);
    for (futex_waiter* w = source.waiters.front(); w != nullptr && moved < moves;) {
      futex_waiter* const after = source.waiters.after(w);
      if (w->at == from) {
        w->unlink();
        __atomic_store_n(&w->at, to, __ATOMIC_RELEASE);
        target.waiters.push_back(w);
        ++moved;
      }
      w = after;
    }
  }
  if (kernel_has_waiters(op.shared) && (woken < wakes || moved < moves)) {
    // Native waiters' part. The comparison was made above; a wake too many is allowed, a lost one is not.
    const long more = base::raw_syscall(SYS_futex, from, FUTEX_REQUEUE | (op.shared ? 0 : FUTEX_PRIVATE_FLAG),
                                        wakes - woken, moves - moved, to, 0);
    if (more > 0) moved += more;
  }
  return woken + moved;
}

std::uint32_t apply(int action, std::uint32_t old, std::uint32_t argument) noexcept {
  switch (action) {
    case FUTEX_OP_SET:
      return argument;
    case FUTEX_OP_ADD:
      return old + argument;
    case FUTEX_OP_OR:
      return old | argument;
    case FUTEX_OP_ANDN:
      return old & ~argument;
    default:
      return old ^ argument;
  }
}

bool holds(int comparison, std::int32_t old, std::int32_t argument) noexcept {
  switch (comparison) {
    case FUTEX_OP_CMP_EQ:
      return old == argument;
    case FUTEX_OP_CMP_NE:
      return old != argument;
    case FUTEX_OP_CMP_LT:
      return old < argument;
    case FUTEX_OP_CMP_LE:
      return old <= argument;
    case FUTEX_OP_CMP_GT:
      return old > argument;
    default:
      return old >= argument;
  }
}

// futex(2), FUTEX_WAKE_OP: an atomic operation on the second word, a wake on the first, and perhaps one on the second.
long wake_op(const call& c, const operation& op) noexcept {
  auto* const first = c.arg<std::uint32_t*>(0);
  auto* const second = c.arg<std::uint32_t*>(4);
  const auto code = static_cast<std::uint32_t>(c.args[5]);
  const int action = static_cast<int>(code >> 28 & 7);
  const int comparison = static_cast<int>(code >> 24 & 15);
  // Both arguments are signed 12-bit numbers.
  auto argument = static_cast<std::uint32_t>(static_cast<std::int32_t>(code << 8) >> 20);
  const std::int32_t compared = static_cast<std::int32_t>(code << 20) >> 20;
  if (action > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE) return -ENOSYS;
  if ((c.args[0] & 3) != 0 || (c.args[4] & 3) != 0) return -EINVAL;
  if ((code >> 28 & FUTEX_OP_OPARG_SHIFT) != 0) argument = 1U << (argument & 31);
  futex_bucket& a = futex_bucket_of(first);
  futex_bucket& b = futex_bucket_of(second);
  const auto wakes = c.arg<int>(2);
  const auto second_wakes = static_cast<int>(c.args[3]);
  long woken = 0;
  long woken_second = 0;
  bool second_too;
  {
    const futex_pair_lock guard(a, b);
    std::uint32_t old;
    if (!weft_user_load32(second, &old)) return -EFAULT;
    for (;;) {
      std::uint32_t seen = old;
      if (!weft_user_cas32(second, &seen, apply(action, old, argument))) return -EFAULT;
      if (seen == old) break;
      old = seen;
    }
    second_too = holds(comparison, static_cast<std::int32_t>(old), compared);
    woken = wake_waiters(a, first, wakes, ~0U);
    if (second_too) woken_second = wake_waiters(b, second, second_wakes, ~0U);
  }
  if (kernel_has_waiters(op.shared)) {
    if (woken < wakes) woken = wake_sum(woken, kernel_wake(first, wakes - woken, ~0U, op.shared));
    if (second_too && woken_second < second_wakes) {
      woken_second = wake_sum(woken_second, kernel_wake(second, second_wakes - woken_second, ~0U, op.shared));
    }
  }
  return woken + woken_second;
}

long wake_any(call& c, const operation& op, bool& done) noexcept {
  done = true;
  switch (op.command) {
    case FUTEX_WAKE:
      return futex_wake(c.arg<std::uint32_t*>(0), c.arg<int>(2), ~0U, op.shared);
    case FUTEX_WAKE_BITSET:
      if (static_cast<std::uint32_t>(c.args[5]) == 0) return -EINVAL;
      return futex_wake(c.arg<std::uint32_t*>(0), c.arg<int>(2), static_cast<std::uint32_t>(c.args[5]), op.shared);
    case FUTEX_REQUEUE:
      return requeue(c, op, false);
    case FUTEX_CMP_REQUEUE:
      return requeue(c, op, true);
    case FUTEX_WAKE_OP:
      return wake_op(c, op);
    default:
      done = false;
      return 0;
  }
}

}  // namespace

long read_futex_due(const timespec* user, futex_clock clock, std::int64_t& due) noexcept {
  due = never;
  if (user == nullptr) return 0;
  timespec t;
  if (const long error = copy_in_time(t, user)) return error;
  std::int64_t ns;
  if (__builtin_mul_overflow(t.tv_sec, std::int64_t{1'000'000'000}, &ns) ||
      __builtin_add_overflow(ns, t.tv_nsec, &ns)) {
    return 0;
  }
  const std::int64_t now = base::monotonic_ns();
  if (clock != futex_clock::relative) ns -= clock == futex_clock::realtime ? base::realtime_ns() : now;
  if (__builtin_add_overflow(now, ns, &ns)) return 0;
  due = ns > 0 ? ns : 1;  // 0 stands for "not read yet"
  return 0;
}

long futex_wake(std::uint32_t* at, int count, std::uint32_t bits, bool shared) noexcept {
  if ((reinterpret_cast<std::uintptr_t>(at) & 3) != 0) return -EINVAL;
  // The kernel wakes one for a count of 0 and fewer (kernel/futex/waitwake.c compares after the first).
  const long wanted = count < 1 ? 1 : count;
  futex_bucket& bucket = futex_bucket_of(at);
  long woken;
  {
    const std::lock_guard guard(bucket.lock);
    woken = wake_waiters(bucket, at, wanted, bits);
  }
  if (woken < wanted && kernel_has_waiters(shared)) {
    const long more = kernel_wake(at, wanted - woken, bits, shared);
    if (base::is_error(more) && woken == 0) return more;
    woken = wake_sum(woken, more);
  }
  return woken;
}

long sys_futex(call& c) noexcept {
  const operation op = decode(c.arg<int>(1));
  bool done;
  const long result = wake_any(c, op, done);
  if (done) return result;
  switch (op.command) {
    case FUTEX_WAIT:
      // FUTEX_CLOCK_REALTIME has no meaning for a relative time-out, but Linux 4.5+ accepts it.
      return wait(c, op, ~0U);
    case FUTEX_WAIT_BITSET:
      return wait(c, op, static_cast<std::uint32_t>(c.args[5]));
    default:
      return pass(c);
  }
}

long pass_counted(call& c, long (*how)(call&) noexcept) noexcept {
  native_waiters.fetch_add(1, std::memory_order_seq_cst);
  const long waited = how(c);
  native_waiters.fetch_sub(1, std::memory_order_seq_cst);
  return waited;
}

long native_futex(call& c) noexcept {
  constexpr auto natively = [](call& waiting) noexcept { return pass(waiting); };
  if (!is_threaded()) return pass(c);
  if (c.nr != SYS_futex) return futex2_waits(c.nr) ? pass_counted(c, natively) : wake_by_futex2(c);
  const operation op = decode(c.arg<int>(1));
  bool done;
  const long result = wake_any(c, op, done);
  return done ? result : pass_counted(c, natively);
}

}  // namespace weft::shim
