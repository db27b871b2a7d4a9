// SPDX-License-Identifier: MIT
// Functions with one system call each, in forms that compilers and libcs make. They lie on pages of their own, because these are
// not executable for a moment while a test patches them.
#include "tests/shim/unit/probes.h"

    .section .text.probes, "ax", @progbits
    .p2align 12
    .globl probes_begin
probes_begin:

    .macro function name
    .p2align 4
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    .endm
    .macro end_function name
    .cfi_endproc
    .size \name, . - \name
    .endm

    // long probe_X(state* in, state* out): loads every register from *in, makes the call, stores them in *out. A site macro
    // is the call. ymm only when probe_wide is set.
    .macro probe name, wide, site:vararg
    function \name
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    pushq %r12
    .cfi_adjust_cfa_offset 8
    pushq %r13
    .cfi_adjust_cfa_offset 8
    pushq %r14
    .cfi_adjust_cfa_offset 8
    pushq %r15
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    .set i, 0
    .rept 16
    movq PROBE_RED_ZONE+i*8(%rdi), %rax
    movq %rax, i*8-128(%rsp)
    .set i, i+1
    .endr
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    .if \wide
    vmovdqu PROBE_VECTOR+32*\n(%rdi), %ymm\n
    .else
    movdqu PROBE_VECTOR+32*\n(%rdi), %xmm\n
    .endif
    .endr
    movq PROBE_GENERAL+0(%rdi), %rax
    movq PROBE_GENERAL+8(%rdi), %rbx
    movq PROBE_GENERAL+24(%rdi), %rdx
    movq PROBE_GENERAL+32(%rdi), %rsi
    movq PROBE_GENERAL+48(%rdi), %rbp
    movq PROBE_GENERAL+56(%rdi), %r8
    movq PROBE_GENERAL+64(%rdi), %r9
    movq PROBE_GENERAL+72(%rdi), %r10
    movq PROBE_GENERAL+88(%rdi), %r12
    movq PROBE_GENERAL+96(%rdi), %r13
    movq PROBE_GENERAL+104(%rdi), %r14
    movq PROBE_GENERAL+112(%rdi), %r15
    movq PROBE_GENERAL+40(%rdi), %rdi
    \site
    movq (%rsp), %rcx                  // out
    movq %rax, PROBE_GENERAL+0(%rcx)
    pushfq
    popq PROBE_GENERAL+120(%rcx)
    .set i, 0
    .rept 15                           // not the last word: pushfq has used it
    movq i*8-128(%rsp), %rax
    movq %rax, PROBE_RED_ZONE+i*8(%rcx)
    .set i, i+1
    .endr
    movq %rbx, PROBE_GENERAL+8(%rcx)
    movq %rdx, PROBE_GENERAL+24(%rcx)
    movq %rsi, PROBE_GENERAL+32(%rcx)
    movq %rdi, PROBE_GENERAL+40(%rcx)
    movq %rbp, PROBE_GENERAL+48(%rcx)
    movq %r8, PROBE_GENERAL+56(%rcx)
    movq %r9, PROBE_GENERAL+64(%rcx)
    movq %r10, PROBE_GENERAL+72(%rcx)
    movq %r12, PROBE_GENERAL+88(%rcx)
    movq %r13, PROBE_GENERAL+96(%rcx)
    movq %r14, PROBE_GENERAL+104(%rcx)
    movq %r15, PROBE_GENERAL+112(%rcx)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    .if \wide
    vmovdqu %ymm\n, PROBE_VECTOR+32*\n(%rcx)
    .else
    movdqu %xmm\n, PROBE_VECTOR+32*\n(%rcx)
    .endif
    .endr
    .if \wide
    vzeroupper
    .endif
    movq PROBE_GENERAL+0(%rcx), %rax
    popq %rsi
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    popq %r14
    .cfi_adjust_cfa_offset -8
    popq %r13
    .cfi_adjust_cfa_offset -8
    popq %r12
    .cfi_adjust_cfa_offset -8
    popq %rbp
    .cfi_adjust_cfa_offset -8
    popq %rbx
    .cfi_adjust_cfa_offset -8
    ret
    end_function \name
    .endm

    .macro mov_site
    movl $39, %eax
    syscall
    .endm
    .macro cmp64_site
    syscall
    cmpq $-4095, %rax
    .endm
    .macro cmp32_site
    syscall
    cmpl $-4096, %eax
    .endm
    .macro cmp_short_site
    syscall
    cmpq $-38, %rax
    .endm
    .macro test_site
    syscall
    testq %rax, %rax
    .endm
    .macro moved_site
    movl %r8d, %eax
    syscall
    movl probe_word(%rip), %r9d
    .endm

    probe probe_mov, 0, mov_site
    probe probe_cmp64, 0, cmp64_site
    probe probe_cmp32, 0, cmp32_site
    probe probe_cmp_short, 0, cmp_short_site
    probe probe_test, 0, test_site
    probe probe_moved, 0, moved_site
    probe probe_mov_wide, 1, mov_site
    probe probe_cmp64_wide, 1, cmp64_site

    // long probe_store(long nr, int): before the call a store relative to rip, moved with its new distance; a return behind it.
    function probe_store
    movq %rdi, %rax
    movl %esi, probe_word(%rip)
    syscall
    ret
    end_function probe_store

    // long probe_branch(long nr): 1 if the result is 7, else 2: a conditional jump is moved.
    function probe_branch
    call 1f
    ret
1:  pushq %rdi
    .cfi_adjust_cfa_offset 8
    popq %rax
    .cfi_adjust_cfa_offset -8
    jmp 2f
    nop
2:  syscall                            // jumped to: nothing before it may be overwritten
    subq $7, %rax
    jz 3f
    movl $2, %eax
    ret
3:  movl $1, %eax
    ret
    end_function probe_branch

    // long probe_loop(long nr): calls until the result is not -4.
    function probe_loop
1:  movl %edi, %eax
    syscall
    cmpb $-4, %al
    je 1b
    ret
    end_function probe_loop

    .p2align 12
    .globl probes_end
probes_end:

    .bss
    .p2align 3
    .globl probe_word
probe_word:
    .zero 8

    .section .note.GNU-stack, "", @progbits
