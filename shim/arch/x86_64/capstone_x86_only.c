// SPDX-License-Identifier: MIT
// Capstone's core names the set-up functions of every architecture, which would pull 5 MiB and 75,000 load-time
// relocations into each preloaded process. The linker takes these instead and leaves the other architectures out.
#include <capstone/capstone.h>

#define ABSENT(arch)                                                            \
  cs_err arch##_global_init(void* handle);                                      \
  cs_err arch##_option(void* handle, cs_opt_type type, size_t value);           \
  cs_err arch##_global_init(void* handle) { return (void)handle, CS_ERR_ARCH; } \
  cs_err arch##_option(void* handle, cs_opt_type type, size_t value) {          \
    return (void)handle, (void)type, (void)value, CS_ERR_ARCH;                  \
  }

ABSENT(AArch64)
ABSENT(ARM)
ABSENT(EVM)
ABSENT(M680X)
ABSENT(M68K)
ABSENT(Mips)
ABSENT(PPC)
ABSENT(Sparc)
ABSENT(SystemZ)
ABSENT(TMS320C64x)
ABSENT(XCore)
