// SPDX-License-Identifier: MIT
#pragma once

namespace weft::shim {

/// Objects that dlopen brings when threads run are patched before any of their code does.
///
/// ld.so maps the segments of a file, closes it, and only then relocates it and runs its constructors (glibc,
/// elf/dl-load.c). So executable mappings of files are noted, and the close of such a file is the moment.

/// @p fd has been mapped executable at @p address, from @p offset on.
void note_text(int fd, unsigned long address, unsigned long offset) noexcept;

/// @p fd is about to be closed.
void patch_noted_text(int fd) noexcept;

}  // namespace weft::shim
