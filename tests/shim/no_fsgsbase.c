// SPDX-License-Identifier: MIT
// Preloaded behind the shim: the machine seems to have no FSGSBASE, so the thread pointer is switched by a system call.
#include <dlfcn.h>
#include <sys/auxv.h>
#include <unistd.h>

static int asked;

unsigned long getauxval(unsigned long type) {
  const unsigned long fsgsbase = 2; /* arch/x86/include/uapi/asm/hwcap2.h */
  unsigned long (*real)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
  if (type != AT_HWCAP2) return real(type);
  asked = 1;
  return real(type) & ~fsgsbase;
}

__attribute__((destructor)) static void end(void) {
  static const char text[] = "FSGSBASE was not asked for\n";
  if (asked) return;
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
  _exit(1);
}
