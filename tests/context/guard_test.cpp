// SPDX-License-Identifier: MIT
#include "context/guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "context/stack.hpp"
#include "tests/no_lightweight_guards.h"

namespace weft::context {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t many = 28'000;  // as the header says

char* map(std::size_t pages) {
  void* const at =
      mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

// Guards every second page until no more mappings are to be had for it. @return whether all came as the header says
bool guards_come_to_their_limit() {
  if (refuse_lightweight_guards() != 0) _exit(77);
  if (has_lightweight_guards()) return false;
  char* const at = map(2 * (many + 2));
  if (at == nullptr) return false;
  for (std::size_t i = 0; i < many; ++i) {
    if (install_guard(at + 2 * i * page, page) != guard_kind::mapping) return false;
  }
  for (std::size_t i = many; i < many + 2; ++i) {  // the second one without a word
    if (install_guard(at + 2 * i * page, page) != guard_kind::none) return false;
  }
  at[2 * many * page] = 1;  // it can be used
  stack_pool stacks;
  const stack s = stacks.take(default_stack_spacing);
  if (!s) return false;
  s.top[-static_cast<std::ptrdiff_t>(s.size)] = std::byte{1};
  // What goes makes room for others.
  remove_guard(at, page, guard_kind::mapping);
  at[0] = 1;
  return install_guard(at + 2 * many * page, page) == guard_kind::mapping &&
         install_guard(at + 2 * (many + 1) * page, page) == guard_kind::none;
}

TEST(guards_DeathTest, without_lightweight_ones_end_before_the_mappings_do_with_one_warning) {
  using testing::AllOf;
  using testing::HasSubstr;
  using testing::ResultOf;
  const auto warnings = [](const std::string& said) {
    int count = 0;
    for (std::size_t at = 0; (at = said.find("stacks go without guard pages", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  EXPECT_EXIT(_exit(guards_come_to_their_limit() ? 0 : 1), testing::ExitedWithCode(0),
              AllOf(ResultOf(warnings, 1), HasSubstr("vm.max_map_count")));
}

TEST(guards_DeathTest, a_guarded_page_faults_until_the_guard_goes) {
  char* const at = map(2);
  ASSERT_NE(at, nullptr);
  at[0] = 5;
  const guard_kind kind = install_guard(at, page);
  ASSERT_NE(kind, guard_kind::none);
  EXPECT_DEATH(static_cast<volatile char*>(at)[0] = 1, "");
  at[page] = 1;
  remove_guard(at, page, kind);
  at[0] = 1;
  munmap(at, 2 * page);
}

}  // namespace
}  // namespace weft::context
