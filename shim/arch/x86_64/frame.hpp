// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/arch/x86_64/layout.h"

namespace weft::shim {

/// What a stub knows about its site; the assembly reads it. Filled in while sites are patched, then constant.
struct alignas(64) stub_entry {
  std::uint32_t keep;    ///< 0: the number is `nr`; ~0: the number is in eax
  std::uint32_t nr;      ///< the number, or 0 when it is in eax
  std::uint64_t pass;    ///< where an unhandled call goes: a raw `syscall`, in the site or in the stub
  std::uint64_t ret;     ///< the address right after the site's syscall instruction
  std::uint64_t replay;  ///< code that does what the patch overwrote behind the syscall, then jumps to `resume`
  std::uint64_t resume;  ///< where the interrupted code goes on
  std::int64_t compare;  ///< the immediate of a replayed `cmp`
  std::uint64_t wide;    ///< whole vector registers may be live at the site
};

/// What a stub saved: the interrupted code's registers at its system call.
///
/// A stub's frame lies on the program's stack below the red zone. Copies may lie anywhere; `weft_resume` takes either.
struct frame {
  std::uint64_t r15, r14, r13, r12, rbx, r9, r8, r10, rdx, rsi, rdi;
  std::uint64_t rax;        ///< the system call's number
  const stub_entry* entry;  ///< the site
  std::uint64_t sp;         ///< the stack pointer that the interrupted code had
  std::uint64_t rbp;
  std::uint64_t ret;  ///< the address right behind the syscall: what a signal frame or an unwinder must see. Not always
                      ///< where execution goes on (code may have to be replayed): only `weft_resume` knows that.

  std::uint64_t rsp() const { return sp; }
};

static_assert(sizeof(stub_entry) == WEFT_ENTRY_SIZE);
static_assert(offsetof(stub_entry, keep) == WEFT_ENTRY_KEEP && offsetof(stub_entry, nr) == WEFT_ENTRY_NR);
static_assert(offsetof(stub_entry, pass) == WEFT_ENTRY_PASS && offsetof(stub_entry, ret) == WEFT_ENTRY_RET);
static_assert(offsetof(stub_entry, replay) == WEFT_ENTRY_REPLAY && offsetof(stub_entry, resume) == WEFT_ENTRY_RESUME);
static_assert(offsetof(stub_entry, compare) == WEFT_ENTRY_COMPARE && offsetof(stub_entry, wide) == WEFT_ENTRY_WIDE);
static_assert(sizeof(frame) == WEFT_FRAME_SIZE);
static_assert(offsetof(frame, r15) == WEFT_FRAME_R15 && offsetof(frame, r14) == WEFT_FRAME_R14);
static_assert(offsetof(frame, r13) == WEFT_FRAME_R13 && offsetof(frame, r12) == WEFT_FRAME_R12);
static_assert(offsetof(frame, rbx) == WEFT_FRAME_RBX && offsetof(frame, r9) == WEFT_FRAME_R9);
static_assert(offsetof(frame, r8) == WEFT_FRAME_R8 && offsetof(frame, r10) == WEFT_FRAME_R10);
static_assert(offsetof(frame, rdx) == WEFT_FRAME_RDX && offsetof(frame, rsi) == WEFT_FRAME_RSI);
static_assert(offsetof(frame, rdi) == WEFT_FRAME_RDI && offsetof(frame, rax) == WEFT_FRAME_RAX);
static_assert(offsetof(frame, entry) == WEFT_FRAME_ENTRY && offsetof(frame, sp) == WEFT_FRAME_SP);
static_assert(offsetof(frame, rbp) == WEFT_FRAME_RBP && offsetof(frame, ret) == WEFT_FRAME_RET);

}  // namespace weft::shim

extern "C" {

/// The dispatcher's: which numbers reach `weft_dispatch`. All others, and numbers above the table, go to the kernel from the stub itself
/// with nothing saved, so even clone, vfork and rt_sigreturn pass unharmed. May change at any time.
extern unsigned char weft_handled[WEFT_HANDLED_COUNT];

/// The dispatcher's: performs the call. The value returned becomes the program's rax. Unwinding may pass through it.
long weft_dispatch(weft::shim::frame*);

/// Goes on behind the site of *f with f's general registers, the given stack pointer and rax = result.
/// *f is read before the stack pointer moves and may lie anywhere; nothing below sp is touched. xmm registers stay as they are: use it where
/// the calling convention makes them dead (children of clone and vfork) or restore them first.
[[noreturn]] void weft_resume(const weft::shim::frame* f, std::uint64_t sp, long result);

/// Makes the raw system call nr (clone, clone3) with args. The child goes straight on behind the site of *f with f's registers, rax = 0 and
/// rsp = child_sp, or f->sp when child_sp is 0 (a child that shares no memory). It reads no memory on its way, so *f may lie on the
/// caller's stack and die early. In the parent it returns the kernel's value. Clobbers vector registers in both.
/// Not for a child that runs on the parent's stack in the same memory: that is weft_raw_vfork.
long weft_raw_clone(const weft::shim::frame* f, std::uint64_t child_sp, long nr, const unsigned long args[6]);

/// Makes the raw call f->rax with f's own arguments (vfork, or clone and clone3 with CLONE_VM and no stack). The child goes on behind the
/// site on the same stack and overwrites it up to f->sp: nothing of the caller's frames survives, *f included. Once the child has gone (or the
/// call failed) the parent calls @p after, if there is one, on the stack below f's red zone, then goes on behind the site.
[[noreturn]] void weft_raw_vfork(const weft::shim::frame* f, void (*after)() noexcept);

}  // extern "C"
