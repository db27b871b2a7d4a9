// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shim/arch/x86_64/frame.hpp"
#include "shim/image.hpp"
#include "shim/scan.hpp"

namespace weft::shim {

/// A syscall instruction of this process.
struct site {
  std::uint64_t address = 0;  ///< of the instruction
  std::uint64_t ret = 0;      ///< right behind it
  int nr = -1;                ///< its number, -1 if it comes in a register
  kind k = kind::left;
  left_reason reason = left_reason::none;  ///< why it was left
  const char* object = "";                 ///< path of the object, "" for the program
};

struct site_counts {
  unsigned found = 0, patched = 0, left = 0;
};

/// At load: patches only the clone and clone3 calls of libc from which threads are made. A process that never makes a
/// thread pays for nothing else.
/// @return false if there is no libc that we know, or its text may not be changed: then nothing has changed.
bool patch_clone_sites();

/// Patches every other site in all objects loaded now but Weft's own; in the vDSO, too, from which libc asks for other threads'
/// clocks. To be called while the process has one thread; if there is another nevertheless, sites that it sits in are left.
/// Blocks all signals while it writes. The dispatcher must be ready for what is in weft_handled. A second call, in a fork's
/// child, sees to what was loaded since.
/// @return false if no text could be changed.
bool patch_all_sites();

/// Patches the sites of one object within @p range, as patch_all_sites does for all.
/// @return how many were patched
unsigned patch_object(const image& object, address_range range);

/// Patches an object that ld.so has just mapped, before any of its code runs, though other threads do. From a hook.
void patch_new_object(const image& object);

site_counts counts();
/// All sites found so far, for reports. One without an address has gone with its object.
const site* all(unsigned& n);
/// The site that a frame comes from.
const site& site_of(const frame& f);
/// Whether @p pc lies in a stub, in the code that saves and restores registers, or in weft_resume and its like: the
/// registers and the stack that a signal frame shows are then not, or not all, those of the program at its site.
bool in_stub(std::uint64_t pc);

}  // namespace weft::shim
