/* SPDX-License-Identifier: MIT */
/* See shim/user_memory.hpp. None of these uses the stack, so that a fault can leave by `ret` with a result of false. */
        .text
        .hidden weft_user_access_begin, weft_user_access_end, weft_user_access_fault
        .globl  weft_user_access_begin, weft_user_access_end, weft_user_access_fault
        .hidden weft_user_copy, weft_user_load32, weft_user_cas32
        .globl  weft_user_copy, weft_user_load32, weft_user_cas32

weft_user_access_begin:

        .type   weft_user_copy, @function
weft_user_copy:
        .cfi_startproc
        mov     %rdx, %rcx
        rep movsb
        mov     $1, %eax
        ret
        .cfi_endproc
        .size   weft_user_copy, . - weft_user_copy

        .type   weft_user_load32, @function
weft_user_load32:
        .cfi_startproc
        mov     (%rdi), %eax
        mov     %eax, (%rsi)
        mov     $1, %eax
        ret
        .cfi_endproc
        .size   weft_user_load32, . - weft_user_load32

        .type   weft_user_cas32, @function
weft_user_cas32:
        .cfi_startproc
        mov     (%rsi), %eax
        lock cmpxchg %edx, (%rdi)
        mov     %eax, (%rsi)
        mov     $1, %eax
        ret
        .cfi_endproc
        .size   weft_user_cas32, . - weft_user_cas32

weft_user_access_end:

        .type   weft_user_access_fault, @function
weft_user_access_fault:
        .cfi_startproc
        xor     %eax, %eax
        ret
        .cfi_endproc
        .size   weft_user_access_fault, . - weft_user_access_fault

        .section .note.GNU-stack,"",@progbits
