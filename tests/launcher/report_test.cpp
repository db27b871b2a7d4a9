// SPDX-License-Identifier: MIT
#include "shim/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace weft::shim {
namespace {

using testing::HasSubstr;
using testing::Not;

class report : public testing::Test {
 protected:
  void SetUp() override {
    path = testing::TempDir() + "weft-report-" + std::to_string(getpid());
    how.report = true;
    path.copy(how.report_file, sizeof how.report_file - 1);
  }
  void TearDown() override { std::filesystem::remove(path); }

  counters& hub() {
    counted.push_back(std::make_unique<counters>());
    return *counted.back();
  }
  // What the file holds after the report was written once more.
  std::string written(report_facts facts = {}) {
    std::vector<const counters*> hubs;
    for (const auto& each : counted) hubs.push_back(each.get());
    facts.hubs = hubs;
    write_report(how, facts);
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string path;
  base::config how;
  std::vector<std::unique_ptr<counters>> counted;
};

TEST_F(report, is_one_aligned_table) {
  hub().threads.add(1500);
  hub().threads.add(500);
  counted[1]->parked.add();
  report_facts facts;
  facts.program = "/usr/bin/server";
  facts.most_alive = 1024;
  const patched_object objects[] = {{"/lib/libc.so.6", 526, 2}, {"server", 1, 0}};
  facts.objects = objects;
  EXPECT_EQ(written(facts), "weft report: server, pid " + std::to_string(getpid()) +
                                ", 2 hubs\n"
                                "                                    all          hub 0          hub 1\n"
                                "threads made                      2,000          1,500            500\n"
                                "most alive at once                1,024\n"
                                "switches                              0              0              0\n"
                                "syscalls straight                     0              0              0\n"
                                "syscalls parked                       1              0              1\n"
                                "syscalls passed                       0              0              0\n"
                                "preemptions                           0              0              0\n"
                                "polls                                 0              0              0\n"
                                "sites patched                       527\n"
                                "sites left                            2\n"
                                "  libc.so.6                         526 and 2 left\n"
                                "  server                              1\n");
}

TEST_F(report, has_no_columns_for_one_hub_or_very_many) {
  hub();
  EXPECT_THAT(written(), Not(HasSubstr("hub 0")));
  for (int more = 0; more < 9; ++more) hub();
  EXPECT_THAT(written(), HasSubstr("10 hubs\nthreads made"));
}

TEST_F(report, is_appended_and_complete_however_long) {
  const std::vector<patched_object> objects(300, patched_object{"object-with-quite-a-long-name.so", 7, 1});
  hub();
  report_facts facts;
  facts.objects = objects;
  written(facts);
  const std::string twice = written(facts);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = twice.find("7 and 1 left\n", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 600U);
}

TEST_F(report, is_a_line_without_threads) {
  report_facts facts;
  facts.program = "/bin/true";
  EXPECT_EQ(written(facts),
            "weft report: true, pid " + std::to_string(getpid()) + ": no thread was made, so nothing was changed\n");
}

TEST_F(report, is_not_written_unasked) {
  how.report = false;
  EXPECT_EQ(written(), "");
}

}  // namespace
}  // namespace weft::shim
