// SPDX-License-Identifier: MIT
#include "weft/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <type_traits>
#include <utility>

namespace weft {
namespace {

static_assert(!std::is_copy_constructible_v<unique_fd> && !std::is_copy_assignable_v<unique_fd>);
static_assert(std::is_nothrow_move_constructible_v<unique_fd> && std::is_nothrow_move_assignable_v<unique_fd>);

int fresh() { return ::eventfd(0, EFD_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(unique_fd, closes_what_it_has) {
  const int number = fresh();
  {
    const unique_fd owner(number);
    EXPECT_TRUE(owner);
    EXPECT_EQ(owner.get(), number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(unique_fd, without_one_it_does_nothing) {
  unique_fd none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), -1);
  EXPECT_EQ(none.release(), -1);
  none.reset();
  EXPECT_FALSE(unique_fd(-5)) << "no negative number is one";
}

TEST(unique_fd, moves_and_leaves_nothing_behind) {
  unique_fd a(fresh());
  const int number = a.get();
  unique_fd b(std::move(a));
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(b.get(), number);
  const int other = fresh();
  unique_fd c(other);
  c = std::move(b);
  EXPECT_FALSE(is_open(other)) << "what it had is closed";
  EXPECT_EQ(c.get(), number);
  unique_fd& same = c;
  c = std::move(same);
  EXPECT_EQ(c.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(unique_fd, release_gives_it_away_and_reset_changes_it) {
  unique_fd owner(fresh());
  const int first = owner.release();
  EXPECT_TRUE(is_open(first));
  EXPECT_FALSE(owner);
  owner.reset(first);
  const int second = fresh();
  owner.reset(second);
  EXPECT_FALSE(is_open(first));
  EXPECT_EQ(owner.get(), second);
  owner.reset();
  EXPECT_FALSE(is_open(second));
}

// A number that is no descriptor (any more) is closed all the same, which fails without a word: it may be another's by then, so an
// owner never shares what it has.
TEST(unique_fd, a_number_that_is_not_open_is_let_go_of) {
  const int number = fresh();
  ASSERT_EQ(::close(number), 0);
  unique_fd owner(number);
  owner.reset();
  EXPECT_FALSE(owner);
}

}  // namespace
}  // namespace weft
