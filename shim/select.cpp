// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <sys/time.h>

#include "base/memory.hpp"
#include "core/timers.hpp"
#include "fd/table.hpp"
#include "fd/wait_set.hpp"
#include "shim/poll.hpp"
#include "shim/poll_time.hpp"
#include "shim/user_memory.hpp"
#include "shim/user_time.hpp"
#include "shim/wait_mask.hpp"

namespace weft::shim {

namespace {

using word = std::uint64_t;
constexpr int word_bits = 64;
// Nobody has that many; the kernel too cuts at the size of the process's table.
constexpr int most_bits = 1 << 20;

// What poll's events a set of select's stands for (fs/select.c, POLLIN_SET and its like).
constexpr unsigned set_events[3] = {POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI};

// The three sets: as asked, as found, and of what was closed meanwhile. One block of memory, since a stack has little room.
class bit_sets {
 public:
  bit_sets(int bits, call& c) noexcept
      : bits_(bits), words_(static_cast<unsigned>((bits + word_bits - 1) / word_bits)) {
    for (int i = 0; i < 3; ++i) user_[i] = c.arg<word*>(i + 1);
    block_ = static_cast<word*>(base::reallocate(nullptr, 9 * sizeof(word) * (words_ == 0 ? 1 : words_)));
  }
  bit_sets(const bit_sets&) = delete;
  bit_sets& operator=(const bit_sets&) = delete;
  ~bit_sets() {
    if (block_ != nullptr) base::reallocate(block_, 0);
  }

  bool ready() const noexcept { return block_ != nullptr; }
  word* asked(int i) const noexcept { return block_ + static_cast<unsigned>(i) * words_; }
  word* found(int i) const noexcept { return block_ + static_cast<unsigned>(3 + i) * words_; }
  word* closed(int i) const noexcept { return block_ + static_cast<unsigned>(6 + i) * words_; }
  bool used(int i) const noexcept { return user_[i] != nullptr; }
  int words() const noexcept { return static_cast<int>(words_); }

  bool read() noexcept {
    for (int i = 0; i < 3; ++i) {
      if (used(i) && !weft_user_copy(asked(i), user_[i], words_ * sizeof(word))) return false;
      for (unsigned k = 0; k < words_; ++k) closed(i)[k] = 0;
    }
    return true;
  }
  bool write() noexcept {
    for (int i = 0; i < 3; ++i) {
      if (used(i) && !weft_user_copy(user_[i], found(i), words_ * sizeof(word))) return false;
    }
    return true;
  }
  // One look, without waiting.
  long look() noexcept {
    long result;
    do {
      word* sets[3];
      for (int i = 0; i < 3; ++i) {
        sets[i] = used(i) ? found(i) : nullptr;
        for (unsigned k = 0; used(i) && k < words_; ++k) found(i)[k] = asked(i)[k];
      }
      timeval at_once{};
      result = base::raw_syscall(SYS_select, bits_, sets[0], sets[1], sets[2], &at_once);
    } while (result == -EINTR);  // the carrier's signal, as in poll_now
    return result;
  }

  // A look after a wait: a descriptor that was closed since counts as ready in each set (fs/select.c, POLLNVAL), while the first look
  // has EBADF for it.
  long look_again() noexcept {
    long result = look();
    while (result == -EBADF) {
      long count = 0;
      for (unsigned k = 0; k < words_; ++k) count += take_closed(k);
      result = look();
      if (result == -EBADF) continue;
      if (result < 0) return result;
      for (int i = 0; i < 3; ++i) {
        for (unsigned k = 0; used(i) && k < words_; ++k) found(i)[k] |= closed(i)[k];
      }
      return result + count;
    }
    return result;
  }

  void add_to(fd::wait_set& set) const noexcept {
    for (unsigned k = 0; k < words_; ++k) {
      word any = 0;
      for (int i = 0; i < 3; ++i) any |= used(i) ? asked(i)[k] : 0;
      for (; any != 0; any &= any - 1) {
        const int bit = __builtin_ctzll(any);
        const int fd = static_cast<int>(k) * word_bits + bit;
        if (fd >= bits_) return;
        unsigned events = 0;
        for (int i = 0; i < 3; ++i) {
          if (used(i) && (asked(i)[k] >> bit & 1) != 0) events |= set_events[i];
        }
        set.add(fd, events);
      }
    }
  }

 private:
  // @return how many bits of the sets' words number @p k went over to `closed`
  long take_closed(unsigned k) noexcept {
    word any = 0;
    for (int i = 0; i < 3; ++i) any |= used(i) ? asked(i)[k] : 0;
    long count = 0;
    for (; any != 0; any &= any - 1) {
      const word one = any & ~(any - 1);
      const int fd = static_cast<int>(k) * word_bits + __builtin_ctzll(any);
      if (fd >= bits_ || fd::is_open(fd)) continue;
      for (int i = 0; i < 3; ++i) {
        if (!used(i) || (asked(i)[k] & one) == 0) continue;
        asked(i)[k] &= ~one;
        closed(i)[k] |= one;
        ++count;
      }
    }
    return count;
  }

  int bits_;
  unsigned words_;
  word* user_[3];
  word* block_;
};

long select_until(bit_sets& sets, std::int64_t due) noexcept {
  if (signal_is_due()) return restart_nohand;
  for (;;) {
    fd::wait_set set;
    sets.add_to(set);
    fd::outcome o;
    do {
      o = set.wait(due);
      if (o == fd::outcome::interrupted) return restart_nohand;
      const long result = sets.look_again();
      if (result != 0 || o == fd::outcome::timed_out) return result;
    } while (o != fd::outcome::stale);
  }
}

// @param due  0: do not wait
long select_any(call& c, std::int64_t due) noexcept {
  int bits = c.arg<int>(0);
  if (bits < 0) return -EINVAL;
  if (bits > most_bits) bits = most_bits;
  bit_sets sets(bits, c);
  if (!sets.ready()) return -ENOMEM;
  if (!sets.read()) return -EFAULT;
  long result = sets.look();
  if (result == 0 && due != 0) result = select_until(sets, due);
  if (result >= 0 && !sets.write()) result = -EFAULT;
  return result;
}

}  // namespace

long sys_select(call& c) noexcept {
  auto* const user = c.arg<timeval*>(4);
  std::int64_t due = core::timers::never;
  if (user != nullptr) {
    timeval t;
    if (!copy_in(t, user)) return -EFAULT;
    // Microseconds above a second are taken as they are (fs/select.c, kern_select).
    const std::int64_t seconds = t.tv_sec + t.tv_usec / 1'000'000;
    const std::int64_t ns = t.tv_usec % 1'000'000 * 1'000;
    if (seconds < 0 || ns < 0) return -EINVAL;
    due = seconds == 0 && ns == 0 ? 0 : due_in(seconds, ns);
  }
  const long result = select_any(c, due);
  if (user == nullptr || due == 0) return result;
  const timespec left = time_left(due);
  const timeval told{left.tv_sec, left.tv_nsec / 1'000};
  if (!copy_out(user, told) && result == restart_nohand) return -EINTR;
  return result;
}

long sys_pselect6(call& c) noexcept {
  auto* const user = c.arg<timespec*>(4);
  std::int64_t due = core::timers::never;
  if (user != nullptr) {
    timespec t;
    if (const long error = copy_in_time(t, user)) return error;
    due = t.tv_sec == 0 && t.tv_nsec == 0 ? 0 : due_in(t.tv_sec, t.tv_nsec);
  }
  // The sixth argument points to the mask and its size (select(2), "C library/kernel differences").
  struct {
    const void* mask;
    unsigned long size;
  } signals{nullptr, 0};
  if (c.args[5] != 0 && !copy_in(signals, c.arg<const void*>(5))) return -EFAULT;
  if (const long error = set_wait_mask(signals.mask, signals.size)) return error;
  const long result = restore_wait_mask(signals.mask, select_any(c, due));
  return finish_timed(result, due, user);
}

}  // namespace weft::shim
