// SPDX-License-Identifier: MIT
#include "base/config.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace weft::base {
namespace {

struct parsed {
  config values;
  std::string problem;
  bool good;
};

parsed parse(option_id id, std::string_view value) {
  parsed result;
  fixed_text<512> problem;
  result.good = parse_option(result.values, id, value, problem);
  result.problem = problem.view();
  return result;
}

bool refused(option_id id, std::string_view value, std::string_view advice) {
  const parsed result = parse(id, value);
  EXPECT_NE(result.problem.find(advice), std::string::npos) << value << ": " << result.problem;
  return !result.good;
}

TEST(config, has_its_defaults_without_any_variable) {
  const char* const none[] = {"PATH=/bin", "WEFTISH=1", nullptr};
  config values;
  fixed_text<64> problems;
  EXPECT_TRUE(parse_environment(values, none, problems));
  EXPECT_TRUE(parse_environment(values, nullptr, problems));
  EXPECT_TRUE(values.enabled);
  EXPECT_TRUE(values.follow);
  EXPECT_FALSE(values.report);
  EXPECT_EQ(values.hubs, 0U);
  EXPECT_EQ(values.stack_size, 0U);
  EXPECT_EQ(values.groups.bits, patch_groups::all_bits);
  EXPECT_TRUE(problems.empty());
}

TEST(config, reads_every_variable) {
  const char* const all[] = {"WEFT=0",         "WEFT_HUBS=3",        "WEFT_STACK_SIZE=64K", "WEFT_PATCH=thread,time",
                             "WEFT_FOLLOW=no", "WEFT_REPORT=/tmp/r", "WEFT_LOG=/tmp/l",     "WEFT_EXCLUDE=sh,make",
                             nullptr};
  config values;
  fixed_text<64> problems;
  ASSERT_TRUE(parse_environment(values, all, problems)) << problems.view();
  EXPECT_FALSE(values.enabled);
  EXPECT_FALSE(values.follow);
  EXPECT_TRUE(values.report);
  EXPECT_EQ(values.hubs, 3U);
  EXPECT_EQ(values.stack_size, 65536U);
  EXPECT_TRUE(values.groups.has(patch_group::thread));
  EXPECT_TRUE(values.groups.has(patch_group::time));
  EXPECT_FALSE(values.groups.has(patch_group::socket));
  EXPECT_STREQ(values.report_file, "/tmp/r");
  EXPECT_STREQ(values.log_file, "/tmp/l");
  EXPECT_STREQ(values.exclude, "sh,make");
}

TEST(config, keeps_the_default_of_a_bad_variable_and_reads_the_others) {
  const char* const mixed[] = {"WEFT_HUBS=many", "WEFT_STACK_SIZE=1M", "WEFT_PATCH=sockets", nullptr};
  config values;
  fixed_text<1024> problems;
  EXPECT_FALSE(parse_environment(values, mixed, problems));
  EXPECT_EQ(values.hubs, 0U);
  EXPECT_EQ(values.stack_size, std::size_t{1} << 20);
  EXPECT_EQ(values.groups.bits, patch_groups::all_bits);
  const std::string text(problems.view());
  EXPECT_NE(text.find("WEFT_HUBS=many: not a number of hubs; give 1 to 256, or auto"), std::string::npos) << text;
  EXPECT_NE(text.find("WEFT_PATCH=sockets: no group is called 'sockets'"), std::string::npos) << text;
}

TEST(config, takes_an_empty_variable_for_none) {
  const char* const empty[] = {"WEFT_HUBS=", "WEFT_REPORT=", nullptr};
  config values;
  fixed_text<64> problems;
  EXPECT_TRUE(parse_environment(values, empty, problems));
  EXPECT_FALSE(values.report);
}

TEST(config, counts_hubs) {
  EXPECT_EQ(parse(option_id::hubs, "1").values.hubs, 1U);
  EXPECT_EQ(parse(option_id::hubs, "256").values.hubs, 256U);
  EXPECT_EQ(parse(option_id::hubs, "auto").values.hubs, 0U);
  for (const char* bad : {"0", "257", "-1", "2x", " 2", "", "99999999999999999999"}) {
    EXPECT_TRUE(refused(option_id::hubs, bad, "give 1 to 256")) << bad;
  }
}

TEST(config, reads_sizes) {
  EXPECT_EQ(parse(option_id::stack_size, "65536").values.stack_size, 65536U);
  EXPECT_EQ(parse(option_id::stack_size, "64k").values.stack_size, 65536U);
  EXPECT_EQ(parse(option_id::stack_size, "2M").values.stack_size, std::size_t{2} << 20);
  EXPECT_EQ(parse(option_id::stack_size, "1G").values.stack_size, std::size_t{1} << 30);
  EXPECT_EQ(parse(option_id::stack_size, "0").values.stack_size, 0U);
  EXPECT_EQ(parse(option_id::stack_size, "40001").values.stack_size, 40960U) << "whole pages";
  for (const char* bad : {"K", "64KB", "-64K", "64 K", "", "1.5M"}) {
    EXPECT_TRUE(refused(option_id::stack_size, bad, "such as 64K")) << bad;
  }
  for (const char* bad : {"1", "31K", "17G", "999999999999999999G"}) {
    EXPECT_TRUE(refused(option_id::stack_size, bad, "give 32K to 16G")) << bad;
  }
}

std::uint32_t groups(std::string_view list) { return parse(option_id::patch, list).values.groups.bits; }
constexpr std::uint32_t bit(patch_group group) { return static_cast<std::uint32_t>(group); }

TEST(config, reads_lists_of_groups) {
  const std::uint32_t all = patch_groups::all_bits;
  EXPECT_EQ(groups("all"), all);
  EXPECT_EQ(groups("none"), 0U);
  EXPECT_EQ(groups("all,-thread"), all & ~bit(patch_group::thread));
  EXPECT_EQ(groups("-file,-signal"), all & ~bit(patch_group::file) & ~bit(patch_group::signal));
  EXPECT_EQ(groups("socket,time"), bit(patch_group::socket) | bit(patch_group::time));
  EXPECT_EQ(groups("sleep,poll,epoll,subprocess"),
            bit(patch_group::time) | bit(patch_group::select) | bit(patch_group::process));
  EXPECT_EQ(groups("all,-socket,socket"), all) << "the later word counts";
  for (const char* bad : {"sockets", "all,,time", ",", "all,-", "Thread"}) {
    EXPECT_TRUE(refused(option_id::patch, bad, "give all, none, or some of thread socket")) << bad;
  }
}

TEST(config, gives_each_group_a_bit_and_a_word) {
  std::uint32_t seen = 0;
  std::set<std::string> names;
  for (const patch_name& each : patch_names()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_EQ(each.help == nullptr, each.alias) << each.name;
    if (!each.alias) seen |= bit(each.group);
  }
  EXPECT_EQ(seen, patch_groups::all_bits);
}

TEST(config, knows_where_a_report_goes) {
  EXPECT_FALSE(parse(option_id::report, "0").values.report);
  EXPECT_TRUE(parse(option_id::report, "1").values.report);
  EXPECT_STREQ(parse(option_id::report, "-").values.report_file, "");
  EXPECT_TRUE(parse(option_id::report, "out.txt").values.report);
  EXPECT_STREQ(parse(option_id::report, "out.txt").values.report_file, "out.txt");
  EXPECT_TRUE(refused(option_id::log, std::string(PATH_MAX, 'x'), "too long"));
}

TEST(config, excludes_by_name_and_by_path) {
  const config values = parse(option_id::exclude, "make,/opt/tool,").values;
  EXPECT_TRUE(is_excluded(values, "/usr/bin/make"));
  EXPECT_TRUE(is_excluded(values, "make"));
  EXPECT_TRUE(is_excluded(values, "/opt/tool"));
  EXPECT_FALSE(is_excluded(values, "/usr/bin/tool"));
  EXPECT_FALSE(is_excluded(values, "/usr/bin/cmake"));
  EXPECT_FALSE(is_excluded(values, ""));
  EXPECT_FALSE(is_excluded(values, nullptr));
  EXPECT_FALSE(is_excluded(config{}, "make"));
}

TEST(config, has_one_row_for_each_option) {
  std::set<std::string> variables;
  for (const option& each : options()) {
    EXPECT_TRUE(variables.insert(each.variable).second) << each.variable;
    EXPECT_EQ(&find_option(each.id), &each);
    EXPECT_EQ(each.value == option_value::none, each.placeholder == nullptr);
  }
}

}  // namespace
}  // namespace weft::base
