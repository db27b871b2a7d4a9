// SPDX-License-Identifier: MIT
#include "base/list.hpp"

#include <gtest/gtest.h>

namespace {

struct item : weft::base::list_link {
  int value = 0;
};

TEST(list, is_empty_without_a_constructor_having_run) {
  alignas(weft::base::list<item>) unsigned char zeroes[sizeof(weft::base::list<item>)] = {};
  auto& l = reinterpret_cast<weft::base::list<item>&>(zeroes);
  EXPECT_TRUE(l.empty());
  EXPECT_EQ(l.front(), nullptr);
  EXPECT_EQ(l.pop_front(), nullptr);
}

TEST(list, is_first_in_first_out) {
  weft::base::list<item> l;
  item a, b, c;
  l.push_back(&b);
  l.push_back(&c);
  l.push_front(&a);
  EXPECT_EQ(l.after(&a), &b);
  EXPECT_EQ(l.after(&c), nullptr);
  EXPECT_EQ(l.pop_front(), &a);
  EXPECT_EQ(l.pop_front(), &b);
  EXPECT_EQ(l.pop_front(), &c);
  EXPECT_TRUE(l.empty());
}

TEST(list, gives_up_an_element_in_the_middle) {
  weft::base::list<item> l;
  item a, b, c;
  l.push_back(&a);
  l.push_back(&b);
  l.push_back(&c);
  b.unlink();
  EXPECT_FALSE(b.linked());
  EXPECT_EQ(l.after(&a), &c);
  l.push_back(&b);
  EXPECT_EQ(l.after(&c), &b);
}

}  // namespace
