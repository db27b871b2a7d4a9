// SPDX-License-Identifier: MIT
// Offsets that the assembly and the C++ side share; frame.hpp asserts that the structs agree.
#pragma once

#define WEFT_STUB_COUNT 4096
#define WEFT_STUB_SIZE 32
#define WEFT_STUB_PASS 12  // offset in a stub of its own raw system call

#define WEFT_HANDLED_COUNT 512

// struct stub_entry
#define WEFT_ENTRY_KEEP 0
#define WEFT_ENTRY_NR 4
#define WEFT_ENTRY_PASS 8
#define WEFT_ENTRY_RET 16
#define WEFT_ENTRY_REPLAY 24
#define WEFT_ENTRY_RESUME 32
#define WEFT_ENTRY_COMPARE 40
#define WEFT_ENTRY_WIDE 48
#define WEFT_ENTRY_SIZE 64

// struct frame
#define WEFT_FRAME_R15 0
#define WEFT_FRAME_R14 8
#define WEFT_FRAME_R13 16
#define WEFT_FRAME_R12 24
#define WEFT_FRAME_RBX 32
#define WEFT_FRAME_R9 40
#define WEFT_FRAME_R8 48
#define WEFT_FRAME_R10 56
#define WEFT_FRAME_RDX 64
#define WEFT_FRAME_RSI 72
#define WEFT_FRAME_RDI 80
#define WEFT_FRAME_RAX 88
#define WEFT_FRAME_ENTRY 96
#define WEFT_FRAME_SP 104
#define WEFT_FRAME_RBP 112
#define WEFT_FRAME_RET 120
#define WEFT_FRAME_SIZE 128
