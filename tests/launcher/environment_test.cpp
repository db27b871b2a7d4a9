// SPDX-License-Identifier: MIT
#include "shim/environment.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weft::shim {
namespace {

// The block of a process: writable strings and a null behind them.
std::vector<std::string> after_removal(std::vector<std::string> entries, bool expected) {
  std::vector<char*> block;
  block.reserve(entries.size() + 1);
  for (std::string& entry : entries) block.push_back(entry.data());
  block.push_back(nullptr);
  EXPECT_EQ(remove_preload(block.data()), expected);
  std::vector<std::string> left;
  for (char** each = block.data(); *each != nullptr; ++each) left.emplace_back(*each);
  return left;
}

using strings = std::vector<std::string>;

TEST(environment, loses_the_variable_that_holds_nothing_else) {
  EXPECT_EQ(after_removal({"A=1", "LD_PRELOAD=/x/libweft-shim.so", "B=2"}, true), (strings{"A=1", "B=2"}));
  EXPECT_EQ(after_removal({"LD_PRELOAD=libweft-shim.so:"}, true), strings{});
}

TEST(environment, keeps_other_libraries_in_order) {
  EXPECT_EQ(after_removal({"LD_PRELOAD=/x/libweft-shim.so:/a.so:b.so"}, true), strings{"LD_PRELOAD=/a.so:b.so"});
  EXPECT_EQ(after_removal({"LD_PRELOAD=a.so libweft-shim.so b.so"}, true), strings{"LD_PRELOAD=a.so b.so"});
  EXPECT_EQ(after_removal({"LD_PRELOAD=a.so:/y/libweft-shim.so:/x/libweft-shim.so"}, true), strings{"LD_PRELOAD=a.so"});
}

TEST(environment, is_untouched_where_the_library_is_not_named) {
  const strings other{"LD_PRELOAD=a.so  b.so", "MY_LD_PRELOAD=libweft-shim.so", "LD_PRELOAD_32=libweft-shim.so"};
  EXPECT_EQ(after_removal(other, false), other);
  EXPECT_EQ(after_removal({"LD_PRELOAD=libweft-shim.so.old"}, false), strings{"LD_PRELOAD=libweft-shim.so.old"});
  EXPECT_FALSE(remove_preload(nullptr));
}

TEST(environment, loses_a_variable_by_its_whole_name) {
  std::vector<std::string> entries{"WEFT_HUBS=x", "WEFT_HUBS2=1", "WEFT=1", "WEFT_HUBS="};
  std::vector<char*> block;
  block.reserve(entries.size() + 1);
  for (std::string& entry : entries) block.push_back(entry.data());
  block.push_back(nullptr);
  remove_variable(block.data(), "WEFT_HUBS");
  EXPECT_EQ((strings{block[0], block[1]}), (strings{"WEFT_HUBS2=1", "WEFT=1"}));
  EXPECT_EQ(block[2], nullptr);
  remove_variable(nullptr, "WEFT_HUBS");
}

}  // namespace
}  // namespace weft::shim
