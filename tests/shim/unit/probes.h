// SPDX-License-Identifier: MIT
// What probes.S and stub_test.cpp share: registers before and after a probe's system call.
#pragma once

#define PROBE_GENERAL 0     // rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15, and rflags
#define PROBE_VECTOR 128    // 16 times 32 bytes
#define PROBE_RED_ZONE 640  // 128 bytes
#define PROBE_SIZE 768
