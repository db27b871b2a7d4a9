// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/arch/x86_64/decoder.hpp"
#include "shim/image.hpp"

namespace weft::shim {

enum class kind : std::uint8_t {
  mov_imm,      ///< `mov $nr,%eax; syscall`: the mov is overwritten, the syscall stays
  syscall_cmp,  ///< `syscall; cmp`: both are overwritten, the stub replays the cmp
  relocated,    ///< neighbours of the syscall are overwritten and run from an island near the object
  left,         ///< not patched
};

enum class left_reason : std::uint8_t {
  none,
  sigreturn,        ///< on purpose: its frame lies at rsp, and unwinders know the place by its bytes
  no_function,      ///< nothing says where the enclosing function begins, so instruction boundaries are not known
  undecodable,      ///< the decoder does not know an instruction before it
  jump_target,      ///< something may jump into the bytes that would be overwritten
  not_relocatable,  ///< a call or the like stands where a byte is needed
  no_stub,          ///< all stubs are taken
  no_island,        ///< no executable page can be had near the object
  in_use,           ///< another thread is about to return to what would be overwritten
  protected_text,   ///< the kernel does not let this text be changed
};
const char* reason_text(left_reason r);

/// How the stub makes up for an overwritten comparison behind the syscall.
enum class replay : std::uint8_t { nothing, cmp64, cmp32, test64 };

/// A syscall instruction and how it can be patched.
struct found_site {
  static constexpr unsigned max_moved = 4;

  std::uint64_t address = 0;  ///< of the syscall instruction
  int nr = -1;                ///< the number, as far as the code before it tells
  kind k = kind::left;
  left_reason reason = left_reason::none;
  replay again = replay::nothing;
  std::int64_t compare = 0;
  std::uint64_t window = 0;  ///< what is overwritten: its address and length
  std::uint8_t window_length = 0;
  std::uint8_t before_count = 0, after_count = 0;
  move_plan before[max_moved], after[max_moved];  ///< relocated: the instructions around the syscall, in order

  std::uint64_t ret() const { return address + 2; }
  std::uint64_t window_end() const { return window + window_length; }
};

/// Finds the syscall instructions of an object and decides for each how it can be patched. Changes nothing.
///
/// A pair of bytes 0f 05 is one only if decoding from the start of its function arrives there; others are dropped
/// without a word. Nothing but the first overwritten byte may be reached by a jump: those from anywhere in the object, of any
/// width, entries of jump tables, and code addresses that are taken.
///
/// @param scratch  memory for the search, scratch_size(object, capacity) zeroed bytes, 64-byte aligned
/// @param range    only sites in it are looked for
/// @param jumps    whether to look for jumps. Without, only sites of kind mov_imm are sure to be sound, as what they overwrite
///                 is one instruction; it saves reading the whole text when a few such sites are wanted.
/// @return the number of sites, at most @p capacity
std::size_t find_sites(const image& object, decoder& decode, address_range range, found_site* out, std::size_t capacity,
                       void* scratch, bool jumps = true);
std::size_t scratch_size(const image& object, std::size_t capacity);

}  // namespace weft::shim
