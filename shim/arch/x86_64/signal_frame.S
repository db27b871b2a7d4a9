/* SPDX-License-Identifier: MIT */
/* See signal_frame.hpp. */
        .text
        .hidden weft_signal_restorer, weft_call_handler, weft_signal_return
        .globl  weft_signal_restorer, weft_call_handler, weft_signal_return

        /* Debuggers and unwinders know a signal's frame by these very bytes (libgcc, linux-unwind.h), where no unwind */
        /* table covers them or the byte before. */
        nop
        .p2align 4
        nop
        .type   weft_signal_restorer, @function
weft_signal_restorer:
        mov     $15, %rax
        syscall
        .size   weft_signal_restorer, . - weft_signal_restorer
        hlt

        .p2align 4
        .type   weft_signal_return, @function
weft_signal_return:
        .cfi_startproc
        .cfi_undefined %rip
        mov     %rdi, %rsp
        mov     $15, %eax
        syscall
        hlt
        .cfi_endproc
        .size   weft_signal_return, . - weft_signal_return

        /* (handler, sig, info, context, sp) */
        .p2align 4
        .type   weft_call_handler, @function
weft_call_handler:
        .cfi_startproc
        push    %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        mov     %rsp, %rbp
        .cfi_def_cfa_register %rbp
        mov     %rdi, %rax
        mov     %esi, %edi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        test    %r8, %r8
        cmovnz  %r8, %rsp
        and     $-16, %rsp
        call    *%rax
        mov     %rbp, %rsp
        pop     %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   weft_call_handler, . - weft_call_handler

        .section .note.GNU-stack, "", @progbits
