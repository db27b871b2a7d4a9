// SPDX-License-Identifier: MIT
// Ways back into the program that do not return through the stub. See frame.hpp for their contracts.
#include "shim/arch/x86_64/layout.h"

// What a function call preserves, from the frame at rdi.
    .macro load_preserved
    movq WEFT_FRAME_R15(%rdi), %r15
    movq WEFT_FRAME_R14(%rdi), %r14
    movq WEFT_FRAME_R13(%rdi), %r13
    movq WEFT_FRAME_R12(%rdi), %r12
    movq WEFT_FRAME_RBX(%rdi), %rbx
    movq WEFT_FRAME_RBP(%rdi), %rbp
    .endm

// What a system call takes. The last of it is rdi itself.
    .macro load_arguments
    movq WEFT_FRAME_R9(%rdi), %r9
    movq WEFT_FRAME_R8(%rdi), %r8
    movq WEFT_FRAME_R10(%rdi), %r10
    movq WEFT_FRAME_RDX(%rdi), %rdx
    movq WEFT_FRAME_RSI(%rdi), %rsi
    movq WEFT_FRAME_RDI(%rdi), %rdi
    .endm

    .section weft_stub_text, "ax", @progbits
    .p2align 4
    .globl weft_resume
    .hidden weft_resume
    .type weft_resume, @function
weft_resume:
    .cfi_startproc
    .cfi_undefined %rip
    movq %rsi, %r11
    movq %rdx, %rax
    movq WEFT_FRAME_ENTRY(%rdi), %rcx
    load_preserved
    load_arguments
    movq %r11, %rsp
    jmp *WEFT_ENTRY_REPLAY(%rcx)
    .cfi_endproc
    .size weft_resume, . - weft_resume

    // A child inherits the vector registers, so what it needs on its way back travels in them and not in memory that the
    // parent may reuse before the child has run.
    .p2align 4
    .globl weft_raw_clone
    .hidden weft_raw_clone
    .type weft_raw_clone, @function
weft_raw_clone:
    .cfi_startproc
    .irp register, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %\register, 0
    .endr
    testq %rsi, %rsi
    cmovzq WEFT_FRAME_SP(%rdi), %rsi
    movq %rsi, %xmm14
    movq WEFT_FRAME_ENTRY(%rdi), %xmm15
    movq WEFT_FRAME_RDI(%rdi), %xmm13
    movq WEFT_FRAME_RSI(%rdi), %xmm12
    movq WEFT_FRAME_RDX(%rdi), %xmm11
    movq WEFT_FRAME_R10(%rdi), %xmm10
    movq WEFT_FRAME_R8(%rdi), %xmm9
    movq WEFT_FRAME_R9(%rdi), %xmm8
    load_preserved
    movq %rdx, %rax
    movq 0(%rcx), %rdi
    movq 8(%rcx), %rsi
    movq 16(%rcx), %rdx
    movq 24(%rcx), %r10
    movq 32(%rcx), %r8
    movq 40(%rcx), %r9
    syscall
    testq %rax, %rax
    jz 1f
    .cfi_remember_state
    .irp register, r15, r14, r13, r12, rbp, rbx
    popq %\register
    .cfi_adjust_cfa_offset -8
    .endr
    ret
    .cfi_restore_state
1:  .cfi_undefined %rip
    movq %xmm15, %rcx
    movq %xmm13, %rdi
    movq %xmm12, %rsi
    movq %xmm11, %rdx
    movq %xmm10, %r10
    movq %xmm9, %r8
    movq %xmm8, %r9
    movq %xmm14, %rsp
    jmp *WEFT_ENTRY_REPLAY(%rcx)
    .cfi_endproc
    .size weft_raw_clone, . - weft_raw_clone

    // The child overwrites the stack, but both have vector registers of their own: they carry the site and after across.
    .p2align 4
    .globl weft_raw_vfork
    .hidden weft_raw_vfork
    .type weft_raw_vfork, @function
weft_raw_vfork:
    .cfi_startproc
    .cfi_undefined %rip
    movq %rsi, %xmm12
    movq WEFT_FRAME_ENTRY(%rdi), %xmm15
    movq WEFT_FRAME_SP(%rdi), %rsp
    movq WEFT_FRAME_RAX(%rdi), %rax
    load_preserved
    load_arguments
    syscall
    movq %xmm12, %r11
    testq %rax, %rax
    jz 1f
    testq %r11, %r11
    jz 1f
    leaq -128(%rsp), %rsp
    .irp register, rbx, rax, rdi, rsi, rdx, r10, r8, r9
    pushq %\register
    .endr
    subq $16, %rsp
    movdqu %xmm15, (%rsp)
    movq %rsp, %rbx
    andq $-16, %rsp
    call *%r11
    movq %rbx, %rsp
    movdqu (%rsp), %xmm15
    addq $16, %rsp
    .irp register, r9, r8, r10, rdx, rsi, rdi, rax, rbx
    popq %\register
    .endr
    leaq 128(%rsp), %rsp
1:  movq %xmm15, %rcx
    jmp *WEFT_ENTRY_REPLAY(%rcx)
    .cfi_endproc
    .size weft_raw_vfork, . - weft_raw_vfork

    .section .note.GNU-stack, "", @progbits
