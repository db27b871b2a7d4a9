// SPDX-License-Identifier: MIT
// The stubs that patched sites jump to, and the code they share.
//
// At a site rcx and r11 are free (a syscall overwrites them), nothing else is; libc uses the red zone. A stub loads rcx with the address of its
// stub_entry. A call whose number is not handled is made with no register changed and nothing on the stack.
//
// Unwind tables: in every row the caller is the site's own frame: CFA = the interrupted rsp, return address = entry->ret. So
// gdb, perf, exceptions and thread cancellation walk through, also from a signal that interrupts a stub.
#include "shim/arch/x86_64/layout.h"

#define DW_CFA_expression 0x10
#define DW_rip 16

// The return address is saved in entry->ret, and rcx holds the entry: DW_OP_breg2 (rcx) + offset.
#define CFI_RET_BY_RCX .cfi_escape DW_CFA_expression, DW_rip, 2, 0x72, WEFT_ENTRY_RET

    .hidden weft_stub_entries
    .hidden weft_handled
    .hidden weft_dispatch
    .hidden weft_vector_mask
    .hidden weft_vector_size
    .hidden weft_vector_compact

    // A section of its own: its bounds tell signal handlers where a program's registers are not where they seem.
    .section weft_stub_text, "ax", @progbits
    .p2align 5
    .globl weft_stubs
    .hidden weft_stubs
    .type weft_stubs, @function
weft_stubs:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    // Each stub begins with a 7-byte lea whose last 4 bytes hold the distance to its entry. The address of the saved
    // return address is therefore, with s = rip & -32:  s + 7 + (int32)[s + 3] + WEFT_ENTRY_RET.
    .cfi_escape DW_CFA_expression, DW_rip, 19, \
        0x80, 0x00, 0x09, 0xe0, 0x1a, 0x12, 0x23, 3, 0x94, 4, \
        0x08, 32, 0x24, 0x08, 32, 0x26, 0x22, 0x23, 7 + WEFT_ENTRY_RET
    .set stub_number, 0
    .rept WEFT_STUB_COUNT
    .byte 0x48, 0x8d, 0x0d                                      // lea entry(%rip), %rcx, always with a 4-byte displacement
    .long weft_stub_entries + WEFT_ENTRY_SIZE * stub_number - . - 4
    .byte 0xe9                                                  // jmp weft_stub_enter, always the 5-byte form
    .long weft_stub_enter - . - 4
    // WEFT_STUB_PASS: the raw call of sites whose own syscall instruction was overwritten
    syscall
    .byte 0x48, 0x8d, 0x0d
    .long weft_stub_entries + WEFT_ENTRY_SIZE * stub_number - . - 4
    jmp *WEFT_ENTRY_REPLAY(%rcx)
    .p2align 5, 0xcc
    .set stub_number, stub_number + 1
    .endr
    .cfi_endproc
    .size weft_stubs, . - weft_stubs

    .p2align 6
    .type weft_stub_enter, @function
weft_stub_enter:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    CFI_RET_BY_RCX
    andl WEFT_ENTRY_KEEP(%rcx), %eax
    orl WEFT_ENTRY_NR(%rcx), %eax
    cmpl $WEFT_HANDLED_COUNT, %eax
    jae .Lpass
    leaq weft_handled(%rip), %r11
    cmpb $0, (%r11,%rax)
    jne .Ldispatch
.Lpass:
    jmp *WEFT_ENTRY_PASS(%rcx)

.Ldispatch:
    leaq -128(%rsp), %rsp
    .cfi_def_cfa_offset 128
    pushq WEFT_ENTRY_RET(%rcx)
    .cfi_def_cfa_offset 136
    .cfi_offset %rip, -136
    pushq %rbp
    .cfi_def_cfa_offset 144
    .cfi_offset %rbp, -144
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    leaq 144(%rsp), %r11
    pushq %r11
    pushq %rcx
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r10
    pushq %r8
    pushq %r9
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    cmpq $0, WEFT_ENTRY_WIDE(%rcx)
    jne .Lwide

    subq $256, %rsp
    andq $-16, %rsp
    .irp reg, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps %xmm\reg, 16*\reg(%rsp)
    .endr
    call weft_dispatch
    .irp reg, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps 16*\reg(%rsp), %xmm\reg
    .endr

    // rbx and r12 to r15 are as they were: weft_dispatch is an ordinary function.
.Lleave:
    movq WEFT_FRAME_RDI-WEFT_FRAME_RBP(%rbp), %rdi
    movq WEFT_FRAME_RSI-WEFT_FRAME_RBP(%rbp), %rsi
    movq WEFT_FRAME_RDX-WEFT_FRAME_RBP(%rbp), %rdx
    movq WEFT_FRAME_R10-WEFT_FRAME_RBP(%rbp), %r10
    movq WEFT_FRAME_R8-WEFT_FRAME_RBP(%rbp), %r8
    movq WEFT_FRAME_R9-WEFT_FRAME_RBP(%rbp), %r9
    movq WEFT_FRAME_ENTRY-WEFT_FRAME_RBP(%rbp), %rcx
    // What is still needed must not lie deeper than the red zone below rsp: a signal may come at any time.
    movq %rbp, %rsp
    .cfi_remember_state
    popq %rbp
    .cfi_def_cfa %rsp, 136
    .cfi_restore %rbp
    leaq 136(%rsp), %rsp
    .cfi_def_cfa_offset 0
    CFI_RET_BY_RCX
    jmp *WEFT_ENTRY_REPLAY(%rcx)
    .cfi_restore_state

    // Objects other than libc may be compiled for AVX and keep whole vectors live across a system call.
.Lwide:
    movl weft_vector_size(%rip), %eax
    subq %rax, %rsp
    andq $-64, %rsp
    // xrstor wants the unused part of the header zero, and xsave merges into the first word.
    xorl %eax, %eax
    .irp word, 0,1,2,3,4,5,6,7
    movq %rax, 512+8*\word(%rsp)
    .endr
    xorl %edx, %edx
    movl weft_vector_mask(%rip), %eax
    cmpb $0, weft_vector_compact(%rip)
    je 1f
    xsavec64 (%rsp)
    jmp 2f
1:  xsave64 (%rsp)
2:  call weft_dispatch
    movq %rax, WEFT_FRAME_RAX-WEFT_FRAME_RBP(%rbp)
    xorl %edx, %edx
    movl weft_vector_mask(%rip), %eax
    xrstor64 (%rsp)
    movq WEFT_FRAME_RAX-WEFT_FRAME_RBP(%rbp), %rax
    jmp .Lleave
    .cfi_endproc
    .size weft_stub_enter, . - weft_stub_enter

    // Replays of what a patch overwrote behind the syscall. A cmp with the same operands sets the same flags; jmp changes none.
    .macro replay name
    .p2align 4
    .globl \name
    .hidden \name
    .type \name, @function
\name:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    CFI_RET_BY_RCX
    .endm
    .macro end_replay name
    jmp *WEFT_ENTRY_RESUME(%rcx)
    .cfi_endproc
    .size \name, . - \name
    .endm

    replay weft_replay_nothing
    end_replay weft_replay_nothing

    replay weft_replay_cmp64
    cmpq WEFT_ENTRY_COMPARE(%rcx), %rax
    end_replay weft_replay_cmp64

    replay weft_replay_cmp32
    cmpl WEFT_ENTRY_COMPARE(%rcx), %eax
    end_replay weft_replay_cmp32

    replay weft_replay_test64
    testq %rax, %rax
    end_replay weft_replay_test64

    .section .note.GNU-stack, "", @progbits
