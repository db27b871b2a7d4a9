// SPDX-License-Identifier: MIT
#pragma once

namespace weft::base {

/// Prints "weft: FILE:LINE: must hold: WHAT" with one raw write to standard error and aborts. For our own bugs only:
/// what a program or a peer can cause is never an assertion.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

/// Prints "weft: WHAT" and aborts in the same way: a program has broken a rule of a public header, and would be corrupt.
[[noreturn]] void misused(const char* what) noexcept;

}  // namespace weft::base

/// Always compiled in: for conditions after which going on would corrupt the program.
#define WEFT_REQUIRE(condition) \
  (__builtin_expect(!(condition), 0) ? ::weft::base::check_failed(__FILE__, __LINE__, #condition) : void(0))

/// The same for what a program can cause; @p told says in words what it did.
#define WEFT_EXPECT(condition, told) (__builtin_expect(!(condition), 0) ? ::weft::base::misused(told) : void(0))

/// Compiled in by the presets checks, asan and tsan.
#if defined(WEFT_CHECKS)
#define WEFT_ASSERT(condition) WEFT_REQUIRE(condition)
#else
#define WEFT_ASSERT(condition) void(0)
#endif
