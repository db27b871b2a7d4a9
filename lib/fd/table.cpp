// SPDX-License-Identifier: MIT
#include "fd/table.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "base/memory.hpp"
#include "base/syscall.hpp"
#include "core/runtime.hpp"
#include "fd/watch.hpp"

namespace weft::fd {

namespace {

constexpr unsigned chunk_bits = 10;
constexpr unsigned chunk_slots = 1U << chunk_bits;
constexpr unsigned chunks = 1U << 12;

constinit std::atomic<slot*> table[chunks]{};
// Counts the moments at which every description became shared.
constinit std::atomic<std::uint32_t> shares{1};
constinit std::atomic<unsigned> loops_seen{0};

slot* make_chunk(unsigned index) noexcept {
  void* pages = base::map_pages(chunk_slots * sizeof(slot));
  if (pages == nullptr) return nullptr;
  slot* expected = nullptr;
  auto* fresh = static_cast<slot*>(pages);  // all zero is a slot's first state
  if (table[index].compare_exchange_strong(expected, fresh, std::memory_order_acq_rel)) return fresh;
  base::unmap_pages(pages, chunk_slots * sizeof(slot));
  return expected;
}

kind kind_of_socket(int fd) noexcept {
  int type = 0;
  socklen_t length = sizeof type;
  if (base::is_error(base::raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length))) return kind::unknown;
  return type == SOCK_STREAM ? kind::stream : kind::datagram;
}

// Of the memory devices all but kmsg answer at once (Documentation/admin-guide/devices.txt, major 1).
bool is_plain_device(dev_t device) noexcept { return major(device) == 1 && minor(device) != 11; }

kind ask_kind(int fd) noexcept {
  struct stat st;
  if (base::is_error(base::raw_syscall(SYS_fstat, fd, &st))) return kind::unknown;
  switch (st.st_mode & S_IFMT) {
    case S_IFSOCK:
      return kind_of_socket(fd);
    case S_IFIFO:
      return kind::pipe;
    case S_IFREG:
    case S_IFDIR:
    case S_IFBLK:
    case S_IFLNK:
      // Files of /proc and /sys that block (kmsg, trace_pipe) say so by having a poll of their own, which none does that
      // is used by threaded programs; they go to the kernel as regular files do.
      return kind::plain;
    case S_IFCHR:
      return is_plain_device(st.st_rdev) ? kind::plain : kind::other;
    default:
      return kind::other;
  }
}

std::int64_t ask_timeout(int fd, int option) noexcept {
  timeval limit{};
  socklen_t length = sizeof limit;
  if (base::is_error(base::raw_syscall(SYS_getsockopt, fd, SOL_SOCKET, option, &limit, &length))) return 0;
  return limit.tv_sec * 1'000'000'000 + limit.tv_usec * 1'000;
}

}  // namespace

slot* find(int fd) noexcept {
  const auto index = static_cast<unsigned>(fd) >> chunk_bits;
  if (index >= chunks) return nullptr;
  slot* chunk = table[index].load(std::memory_order_acquire);
  if (__builtin_expect(chunk == nullptr, 0)) chunk = make_chunk(index);
  return chunk == nullptr ? nullptr : chunk + (static_cast<unsigned>(fd) & (chunk_slots - 1));
}

slot* peek(int fd) noexcept {
  const auto index = static_cast<unsigned>(fd) >> chunk_bits;
  if (index >= chunks) return nullptr;
  slot* chunk = table[index].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + (static_cast<unsigned>(fd) & (chunk_slots - 1));
}

kind learn(slot& s, int fd) noexcept {
  const kind known = s.what();
  if (known != kind::unknown) return known;
  const std::uint32_t generation = s.generation.load(std::memory_order_acquire);
  const kind asked = ask_kind(fd);
  std::uint32_t flags = s.flags.load(std::memory_order_relaxed);
  while (asked != kind::unknown && (flags & (slot::kind_mask | slot::closing)) == 0 &&
         generation == s.generation.load(std::memory_order_acquire)) {
    if (s.flags.compare_exchange_weak(flags, flags | static_cast<std::uint32_t>(asked), std::memory_order_relaxed))
      break;
  }
  return asked;
}

bool is_open(int fd) noexcept { return !base::is_error(base::raw_syscall(SYS_fcntl, fd, F_GETFD)); }

bool is_sole(const slot& s) noexcept {
  return s.has(slot::sole) && s.made_in.load(std::memory_order_relaxed) == shares.load(std::memory_order_relaxed);
}

void note_made(int fd, kind what, bool nonblocking) noexcept {
  slot* s = find(fd);
  if (s == nullptr) return;
  lose(fd);  // closed in a way that we did not see, or a wait for it began in the midst of its close
  s->made_in.store(shares.load(std::memory_order_relaxed), std::memory_order_relaxed);
  s->flags.store(static_cast<std::uint32_t>(what) | slot::sole | (nonblocking ? slot::nonblocking : slot::blocking),
                 std::memory_order_relaxed);
}

void note_shared(int fd) noexcept {
  if (slot* s = find(fd))
    s->clear(slot::sole | slot::blocking | slot::nonblocking | slot::receive_known | slot::send_known);
}

void note_all_shared() noexcept { shares.fetch_add(1, std::memory_order_relaxed); }

bool is_nonblocking(slot& s, int fd) noexcept {
  const std::uint32_t flags = s.flags.load(std::memory_order_relaxed);
  const bool sole = is_sole(s);
  if (sole && (flags & (slot::blocking | slot::nonblocking)) != 0) return (flags & slot::nonblocking) != 0;
  const long status = base::raw_syscall(SYS_fcntl, fd, F_GETFL);
  return !base::is_error(status) && (status & O_NONBLOCK) != 0;
}

void note_nonblocking(slot& s, bool on) noexcept {
  s.clear(slot::blocking | slot::nonblocking | (on ? slot::drained : 0U));
  if (is_sole(s)) s.set(on ? slot::nonblocking : slot::blocking);
}

std::int64_t timeout_of(slot& s, int fd, bool sending) noexcept {
  const std::uint32_t known = sending ? slot::send_known : slot::receive_known;
  std::atomic<std::int64_t>& kept = sending ? s.send_ns : s.receive_ns;
  const bool sole = is_sole(s);
  if (sole && s.has(known)) return kept.load(std::memory_order_relaxed);
  const std::int64_t limit = ask_timeout(fd, sending ? SO_SNDTIMEO : SO_RCVTIMEO);
  if (sole) {
    kept.store(limit, std::memory_order_relaxed);
    s.set(known);
  }
  return limit;
}

void note_timeouts(slot& s) noexcept { s.clear(slot::receive_known | slot::send_known); }

void reserve(int fd) noexcept {
  if (slot* s = find(fd)) s->flags.store(slot::reserved, std::memory_order_relaxed);
}

void unreserve(int fd) noexcept {
  if (slot* s = peek(fd)) s->flags.store(0, std::memory_order_relaxed);
}

void reserve_loops() noexcept {
  const unsigned count = core::hub_count.load(std::memory_order_acquire);
  if (loops_seen.load(std::memory_order_relaxed) == count) return;
  for (unsigned i = 0; i < count; ++i) {
    int fds[2];
    for (int k = 0, n = core::hubs[i]->events.own_fds(fds); k < n; ++k) reserve(fds[k]);
  }
  loops_seen.store(count, std::memory_order_relaxed);
}

bool is_reserved(int fd) noexcept {
  reserve_loops();
  const slot* s = peek(fd);
  return s != nullptr && s->has(slot::reserved);
}

int private_copy(int fd) noexcept {
  long copy = -EMFILE;
  for (const int lowest : {1 << 19, 1 << 16, 16'000, 4'000, 1'000, 900, 400, 200, 100, 40}) {
    copy = base::raw_syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
    if (!base::is_error(copy)) {
      reserve(static_cast<int>(copy));
      break;
    }
  }
  return static_cast<int>(copy);
}

int next_noted(int from) noexcept {
  if (from < 0) from = 0;
  const unsigned index = static_cast<unsigned>(from) >> chunk_bits;
  for (unsigned i = index; i < chunks; ++i) {
    if (table[i].load(std::memory_order_acquire) != nullptr) {
      return i == index ? from : static_cast<int>(i << chunk_bits);
    }
  }
  return -1;
}

void forget_all() noexcept {
  for (auto& entry : table) {
    slot* chunk = entry.load(std::memory_order_relaxed);
    if (chunk == nullptr) continue;
    const auto first = static_cast<int>((&entry - table) << chunk_bits);
    for (unsigned i = 0; i < chunk_slots; ++i) {
      // The loops' own are closed by now; a number that is the program's since would have lost the mark.
      if (chunk[i].has(slot::reserved)) base::raw_syscall(SYS_close, first + static_cast<int>(i));
    }
    entry.store(nullptr, std::memory_order_relaxed);
    base::unmap_pages(chunk, chunk_slots * sizeof(slot));
  }
  loops_seen.store(0, std::memory_order_relaxed);
  note_all_shared();
}

}  // namespace weft::fd
