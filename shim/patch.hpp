// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/image.hpp"
#include "shim/scan.hpp"

namespace weft::shim {

/// Executable memory of ours near an object: ways to stubs that are out of its reach, and moved instructions. Never writable and executable at once.
class island {
 public:
  /// Maps @p size writable bytes from which all of @p object can be reached by a 4-byte jump.
  bool reserve(address_range object, std::size_t size);
  /// Makes it executable; nothing can be added any more.
  bool finish();
  void release();

  std::uint64_t here() const { return reinterpret_cast<std::uint64_t>(memory_ + used_); }
  bool has_room(std::size_t n) const { return memory_ != nullptr && size_ - used_ >= n; }

  void put(const std::uint8_t* bytes, std::size_t n);
  /// A jump to any address, 5 or 14 bytes.
  void put_jump(std::uint64_t target);
  /// An instruction moved here. False if what it refers to is out of reach.
  bool put_moved(const move_plan& plan);

 private:
  std::uint8_t* memory_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
};

/// The most bytes that one site can take in an island.
constexpr std::size_t island_bytes_per_site = 2 * found_site::max_moved * 16 + 32;

/// Bytes to write over a window: a jump to the stub or the island.
struct patch {
  std::uint64_t address = 0;
  std::uint8_t length = 0;
  std::uint8_t bytes[128];
};

/// Whether a jump of 4 bytes' distance at @p from can reach @p to.
bool in_reach(std::uint64_t from, std::uint64_t to);

/// Makes the jump that goes over site's window.
patch make_patch(const found_site& site, std::uint64_t target);

/// Whether the kernel lets private text of this file be changed and made executable again (SELinux's execmod and
/// MemoryDenyWriteExecute do not). Tries it on a scratch mapping: on the text itself there would be no way back.
bool text_may_change(const char* path);

/// Changes text, calling nothing in libc, whose text it may be.
///
/// Alone in the process it makes the pages writable, and executable again afterwards: never both at once. Where other
/// threads may be running in them it writes through /proc/self/mem.
class text_writer {
 public:
  explicit text_writer(bool others_run);
  text_writer(const text_writer&) = delete;
  text_writer& operator=(const text_writer&) = delete;
  ~text_writer();

  /// Writes @p patches, in ascending order and all in one executable segment. Every signal must be blocked.
  bool write(const patch* patches, std::size_t count) const;

 private:
  bool others_run_;
  long memory_ = -1;
};

}  // namespace weft::shim
