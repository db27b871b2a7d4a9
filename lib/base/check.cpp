// SPDX-License-Identifier: MIT
#include "base/check.hpp"

#include <signal.h>
#include <string.h>
#include <sys/uio.h>

#include <cstddef>

#include "base/syscall.hpp"

namespace weft::base {

namespace {

iovec part(const char* text, std::size_t size) noexcept { return {const_cast<char*>(text), size}; }
iovec part(const char* text) noexcept { return part(text, strlen(text)); }

template <std::size_t Count>
[[noreturn]] void say_and_abort(const iovec (&parts)[Count]) noexcept {
  raw_syscall(SYS_writev, 2, parts, Count);
  // SIGABRT by hand: abort(3) would run the program's handler on whatever stack this is.
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } action = {};
  raw_syscall(SYS_rt_sigaction, SIGABRT, &action, nullptr, 8);
  unsigned long none = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, 8);
  raw_syscall(SYS_tgkill, raw_syscall(SYS_getpid), raw_syscall(SYS_gettid), SIGABRT);
  for (;;) raw_syscall(SYS_exit_group, 134);
}

}  // namespace

void check_failed(const char* file, int line, const char* what) noexcept {
  char digits[12];
  char* first = digits + sizeof digits;
  do {
    *--first = static_cast<char>('0' + line % 10);
    line /= 10;
  } while (line != 0);
  say_and_abort({part("weft: "), part(file), part(":"),
                 part(first, static_cast<std::size_t>(digits + sizeof digits - first)), part(": must hold: "),
                 part(what), part("\n")});
}

void misused(const char* what) noexcept { say_and_abort({part("weft: "), part(what), part("\n")}); }

}  // namespace weft::base
