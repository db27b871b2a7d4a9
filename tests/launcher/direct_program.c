// SPDX-License-Identifier: MIT
// A program with a system call instruction of its own.
int main(void) {
  long result;
  __asm__ volatile("mov $39, %%eax\n\tsyscall" : "=a"(result) : : "rcx", "r11", "memory");  // getpid
  return result <= 0;
}
