/* SPDX-License-Identifier: MIT */
/* System calls that a signal handler can end, and OS threads that know nothing of libc. */
  .text

/* long weft_kickable_call(long nr, const unsigned long args[6], const int* ended)
   Makes the call unless *ended. A handler that finds the thread between begin and end sends it on to `interrupted`: so none
   that comes between the look at *ended and the call is lost, and the kernel's own restart of the call (the program
   counter then stands at the instruction) is undone. */
  .globl weft_kickable_call
  .hidden weft_kickable_call
  .type weft_kickable_call, @function
  .p2align 4
weft_kickable_call:
  .cfi_startproc
  mov %rdi, %rax
  mov %rsi, %r11
  mov %rdx, %rcx
  mov 0(%r11), %rdi
  mov 8(%r11), %rsi
  mov 16(%r11), %rdx
  mov 24(%r11), %r10
  mov 32(%r11), %r8
  mov 40(%r11), %r9
  .globl weft_kickable_begin
  .hidden weft_kickable_begin
weft_kickable_begin:
  cmpl $0, (%rcx)
  jne weft_kickable_interrupted
  syscall
  .globl weft_kickable_end
  .hidden weft_kickable_end
weft_kickable_end:
  ret
  .globl weft_kickable_interrupted
  .hidden weft_kickable_interrupted
weft_kickable_interrupted:
  mov $-4, %rax /* -EINTR */
  ret
  .cfi_endproc
  .size weft_kickable_call, . - weft_kickable_call

/* long weft_start_native(unsigned long flags, void* stack, int* parent_tid, int* child_tid, void* tls,
                          void (*body)(void*))
   clone(2). The thread takes body's argument from the word at `stack`, and ends when body returns. */
  .globl weft_start_native
  .hidden weft_start_native
  .type weft_start_native, @function
  .p2align 4
weft_start_native:
  .cfi_startproc
  mov %rcx, %r10
  mov $56, %eax
  syscall
  test %rax, %rax
  jz 1f
  ret
1:
  .cfi_undefined rip
  xor %ebp, %ebp
  pop %rdi
  call *%r9
  xor %edi, %edi
  mov $60, %eax
  syscall
  hlt
  .cfi_endproc
  .size weft_start_native, . - weft_start_native

  .section .note.GNU-stack, "", @progbits
