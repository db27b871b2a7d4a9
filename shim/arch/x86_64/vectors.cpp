// SPDX-License-Identifier: MIT
#include "shim/arch/x86_64/vectors.hpp"

#include <cpuid.h>

#include <cstdint>

// Read by trampolines.S.
extern "C" {
std::uint32_t weft_vector_mask;     // state components to save (Intel SDM vol. 1, 13.1)
std::uint32_t weft_vector_size;     // bytes they need
unsigned char weft_vector_compact;  // xsavec instead of xsave
}

namespace weft::shim {

void detect_vectors() {
  // SSE, AVX, and of AVX-512 the mask registers and both parts of the zmm. Not x87 and the rest: no compiler keeps
  // those live across a system call.
  constexpr std::uint32_t wanted = 1u << 1 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 7;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (weft_vector_mask != 0 || __get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return;
  std::uint32_t enabled = 0, high = 0;
  asm("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
  std::uint32_t mask = enabled & wanted;
  std::uint32_t size = 512 + 64;
  for (unsigned i = 2; i < 8; ++i) {
    if ((mask >> i & 1) == 0) continue;
    __cpuid_count(0xd, i, a, b, c,
                  d);  // a: size, b: offset in the standard form, which is no shorter than the compact one
    if (a + b > size) size = a + b;
  }
  __cpuid_count(0xd, 1, a, b, c, d);
  weft_vector_compact = (a >> 1) & 1;
  weft_vector_size = size;
  weft_vector_mask = mask;
}

bool vectors_are_wide() { return (weft_vector_mask & ~(1u << 1)) != 0; }

}  // namespace weft::shim
