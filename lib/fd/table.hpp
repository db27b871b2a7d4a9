// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spinlock.hpp"

namespace weft::fd {

struct watch;

/// What a descriptor is, as far as it decides how to use it without blocking.
enum class kind : std::uint8_t {
  unknown,
  stream,    ///< a stream socket, connected or listening
  datagram,  ///< a socket that keeps messages apart: datagrams, packets, netlink
  pipe,      ///< a pipe or FIFO
  plain,     ///< never blocks: regular files, directories, block devices, /dev/null and its like
  other,     ///< may block: terminals, eventfds, timerfds, inotify...
};

/// What is known of one descriptor number. All of it is a cache but `attached` and `reserved`: forgetting is always right.
///
/// A description that others can reach (another number, another process) may change behind our back, so whether it is
/// non-blocking and how long its calls may wait is kept only for those that we saw being made and not being shared.
struct alignas(64) slot {
  enum flag : std::uint32_t {
    kind_mask = 7,
    sole = 8,               ///< we saw it being made, and nobody else has it
    blocking = 16,          ///< O_NONBLOCK is known not to be set. Implies sole
    nonblocking = 32,       ///< O_NONBLOCK is known to be set. Implies sole
    receive_known = 64,     ///< receive_ns holds SO_RCVTIMEO. Implies sole
    send_known = 128,       ///< send_ns holds SO_SNDTIMEO. Implies sole
    drained = 256,          ///< the last read got less than it asked for: wait before the next one
    low_water = 512,        ///< SO_RCVLOWAT was set: a non-blocking read would return too early
    no_read_flag = 1024,    ///< the file does not know RWF_NOWAIT for reading
    no_write_flag = 16384,  ///< nor for writing
    reserved = 2048,        ///< Weft's own: does not exist for the program
    listening = 4096,       ///< takes connections: accept waits for them
    closing = 8192,         ///< between the end of what is known and the kernel's close: nothing may be kept
  };
  std::atomic<std::uint32_t> flags{0};
  std::atomic<std::uint32_t> generation{0};  ///< counts the beginning and the end of each closing
  std::atomic<watch*> attached{nullptr};     ///< its readiness, see watch.hpp
  std::atomic<std::int64_t> receive_ns{0};   ///< 0: no limit
  std::atomic<std::int64_t> send_ns{0};
  base::spinlock turn;  ///< held around calls that block if somebody else was faster: a look, then the call
  std::atomic<std::uint32_t> made_in{0};  ///< the value of `shares` when it was made

  kind what() const noexcept { return static_cast<kind>(flags.load(std::memory_order_relaxed) & kind_mask); }
  bool has(std::uint32_t f) const noexcept { return (flags.load(std::memory_order_relaxed) & f) != 0; }
  void set(std::uint32_t f) noexcept { flags.fetch_or(f, std::memory_order_relaxed); }
  void clear(std::uint32_t f) noexcept { flags.fetch_and(~f, std::memory_order_relaxed); }
};

/// The slot of @p fd; nullptr for numbers that no kernel gives (negative, above 2^22) and when there is no memory. No lock.
slot* find(int fd) noexcept;
/// The same, but nullptr also if nothing was ever noted of it and its neighbours.
slot* peek(int fd) noexcept;

/// What kind of file @p fd is: from the slot, else asked of the kernel. kind::unknown if the descriptor is bad.
kind learn(slot& s, int fd) noexcept;

/// Whether its description is surely nobody else's.
bool is_sole(const slot& s) noexcept;

/// Whether the number stands for anything.
bool is_open(int fd) noexcept;

/// A descriptor has been made and is nobody else's.
void note_made(int fd, kind what, bool nonblocking) noexcept;
/// Its description can be reached by another number or process from now on, and may change unseen.
void note_shared(int fd) noexcept;
/// All descriptions can: a process is being made that has the same ones.
void note_all_shared() noexcept;

/// Whether the description of @p fd has O_NONBLOCK, from the slot if that is sure.
bool is_nonblocking(slot& s, int fd) noexcept;
/// It was just set so by way of @p fd.
void note_nonblocking(slot& s, bool on) noexcept;

/// How long receiving (or sending) may wait, in nanoseconds; 0: for ever.
std::int64_t timeout_of(slot& s, int fd, bool sending) noexcept;
/// One of them was set.
void note_timeouts(slot& s) noexcept;

/// Marks a descriptor as Weft's own.
void reserve(int fd) noexcept;
void unreserve(int fd) noexcept;
/// Marks the descriptors of all hubs' loops; cheap when no hub was made since the last time.
void reserve_loops() noexcept;
bool is_reserved(int fd) noexcept;

/// A copy of @p fd out of the program's way, close-on-exec, reserved; or -errno.
int private_copy(int fd) noexcept;

/// The first number at or above @p from whose neighbourhood something is noted of; -1 if there is none.
int next_noted(int from) noexcept;

/// In a fork's child: all slots are as at the start, and the private copies are closed.
void forget_all() noexcept;

}  // namespace weft::fd
