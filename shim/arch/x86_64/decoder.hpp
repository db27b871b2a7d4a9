// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

struct cs_insn;

namespace weft::shim {

/// How an instruction may be moved to another address.
enum class movable : std::uint8_t {
  no,         ///< not at all: calls (the return address would change), indirect jumps, what is not understood
  as_is,      ///< the same bytes do the same anywhere
  relative,   ///< as_is but for a 4-byte displacement from rip
  jump,       ///< an unconditional direct jump: write a 5-byte one
  condition,  ///< a conditional direct jump: write the 6-byte form
  end,        ///< as_is, and execution does not go on behind it (ret)
};

struct instruction {
  std::uint64_t address = 0;
  std::uint8_t length = 0;
  std::uint8_t bytes[15] = {};

  std::uint64_t end() const { return address + length; }
};

/// What the relocator needs to know about one instruction.
struct move_plan {
  instruction code;
  movable how = movable::no;
  std::uint8_t displacement = 0;  ///< relative: offset of the displacement in the bytes
  std::uint8_t condition = 0;     ///< condition: the low 4 bits of the opcode
  std::uint64_t target = 0;       ///< relative, jump, condition: the absolute address meant
};

/// Finds the boundaries of x86-64 instructions, by Capstone.
///
/// Capstone's memory comes from an arena of ours that `close` gives back: nothing of libc's allocator is used, so the process's heap looks as if we had never been there.
class decoder {
 public:
  decoder() = default;
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;
  ~decoder() { close(); }

  bool open();
  void close();

  /// Decodes the instruction at @p p; false if the bytes are none (or none that Capstone knows).
  bool decode(const std::uint8_t* p, std::size_t size, std::uint64_t address, instruction& out);
  move_plan plan_move(const instruction& code);

 private:
  std::size_t handle_ = 0;
  cs_insn* insn_ = nullptr;
};

/// The target of a direct jump or call, or 0.
std::uint64_t branch_target(const instruction& code);
/// Whether it is padding that compilers put between functions: nop in any length, or int3.
bool is_padding(const instruction& code);

}  // namespace weft::shim
