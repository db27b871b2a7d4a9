// SPDX-License-Identifier: MIT
// A dynamic program that needs no library at all, and so has no libc for the shim to patch.
void _start(void) { __asm__ volatile("mov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall" ::: "memory"); }
