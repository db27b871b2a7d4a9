// SPDX-License-Identifier: MIT
// A program with a system call instruction that cannot be patched: jumps go to it and to the instruction behind it.
int main(void) {
  long result;
  __asm__ volatile(
      "mov $3, %%edx\n\t"
      "mov $39, %%eax\n\t"  // getpid
      "jmp 1f\n"
      "0:\tmov $39, %%eax\n"
      "1:\tsyscall\n"
      "2:\tdec %%edx\n\t"
      "js 3f\n\t"
      "jz 2b\n\t"
      "jmp 0b\n"
      "3:\n"
      : "=a"(result)
      :
      : "rcx", "rdx", "r11", "memory");
  return result <= 0;
}
