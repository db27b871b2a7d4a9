// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/config.hpp"
#include "launcher/command.hpp"

namespace weft::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;
using words = std::vector<std::string>;

outcome weft_run(const words& rest, const circumstances& in = {}) {
  words all{weft_command(), "run"};
  all.insert(all.end(), rest.begin(), rest.end());
  return run_command(all, in);
}

const std::string shim = WEFT_TEST_SHIM;

TEST(run, hands_the_arguments_on_as_they_are) {
  // The C library's own name for the program and all words, empty ones too, with a null behind each.
  const outcome native = run_command({"cat", "/proc/self/cmdline", "-", "--hubs", "x"});
  const outcome ours = weft_run({"cat", "/proc/self/cmdline", "-", "--hubs", "x"});
  EXPECT_EQ(ours.out, native.out);
  EXPECT_EQ(weft_run({"--", "printf", "%s|", "--hubs", "", "a b", "--help"}).out, "--hubs||a b|--help|");
  EXPECT_EQ(weft_run({"--hubs", "2", "--report", "printf", "%s|", "--hubs", "--", "9"}).out, "--hubs|--|9|");
}

TEST(run, ends_as_the_program_ends) {
  EXPECT_EQ(weft_run({"sh", "-c", "exit 7"}).status, 7);
  EXPECT_EQ(weft_run({"true"}).status, 0);
  EXPECT_EQ(weft_run({"sh", "-c", "kill -TERM $$"}).signal, SIGTERM);
  EXPECT_EQ(weft_run({"sh", "-c", "kill -KILL $$"}).signal, SIGKILL);
}

TEST(run, leaves_input_descriptors_and_signals_alone) {
  circumstances typed;
  typed.input = "typed\n";
  EXPECT_EQ(weft_run({"cat"}, typed).out, "typed\n");
  const words descriptors{"sh", "-c", "ls /proc/$$/fd"};
  EXPECT_EQ(weft_run(descriptors).out, run_command(descriptors).out);
  const words signals{"grep", "^Sig[BI]", "/proc/self/status"};
  EXPECT_EQ(weft_run(signals).out, run_command(signals).out);
}

std::set<std::string> lines(const std::string& text) {
  std::set<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.insert(line);
  return result;
}

TEST(run, changes_the_environment_only_for_itself) {
  std::set<std::string> expected = lines(run_command({"env"}).out);
  expected.insert("LD_PRELOAD=" + shim);
  EXPECT_EQ(lines(weft_run({"env"}).out), expected);
  expected.insert({"WEFT_HUBS=2", "WEFT_STACK_SIZE=64K", "WEFT_PATCH=all,-file", "WEFT_FOLLOW=0", "WEFT_REPORT=-",
                   "WEFT_EXCLUDE=make"});
  EXPECT_EQ(lines(weft_run({"--hubs", "2", "--stack-size=64K", "--patch", "all,-file", "--no-follow", "--report",
                            "--exclude=make", "env"})
                      .out),
            expected);
}

TEST(run, preloads_the_shim_before_what_is_there) {
  circumstances in;
  in.variables = {"LD_PRELOAD=" + std::string(WEFT_TEST_OTHER_LIBRARY)};
  EXPECT_EQ(weft_run({"sh", "-c", "echo $LD_PRELOAD"}, in).out, shim + ":" + WEFT_TEST_OTHER_LIBRARY + "\n");
  EXPECT_THAT(weft_run({"cat", "/proc/self/maps"}).out, HasSubstr(shim));
  const outcome nested = weft_run({weft_command(), "run", "--", "sh", "-c", "echo $LD_PRELOAD"}, in);
  EXPECT_EQ(nested.out, shim + ":" + WEFT_TEST_OTHER_LIBRARY + "\n") << "once is enough";
}

TEST(run, lets_an_option_win_over_its_variable) {
  circumstances in;
  in.variables = {"WEFT_HUBS=5", "WEFT_STACK_SIZE=1M"};
  EXPECT_EQ(weft_run({"--hubs=3", "sh", "-c", "echo $WEFT_HUBS $WEFT_STACK_SIZE"}, in).out, "3 1M\n");
  in.variables = {"WEFT_HUBS=bad"};
  EXPECT_EQ(weft_run({"--hubs=3", "true"}, in).status, 0);
}

TEST(run, makes_file_names_absolute) {
  const std::string here = std::filesystem::current_path();
  const outcome result = weft_run({"--report=r.txt", "--log", "l.txt", "sh", "-c", "echo $WEFT_REPORT $WEFT_LOG"});
  EXPECT_EQ(result.out, here + "/r.txt " + here + "/l.txt\n");
}

TEST(run, refuses_a_bad_value_before_anything_starts) {
  struct attempt {
    words options;
    std::string complaint;
  };
  for (const attempt& each :
       {attempt{{"--hubs", "0"}, "weft run: --hubs 0: not a number of hubs; give 1 to 256"},
        attempt{{"--stack-size=big"}, "weft run: --stack-size big: not a size"},
        attempt{{"--patch", "all,-cake"}, "weft run: --patch all,-cake: no group is called 'cake'"},
        attempt{{"--cake"}, "weft run: The following argument was not expected: --cake; see weft run --help"}}) {
    words all = each.options;
    all.insert(all.end(), {"echo", "started"});
    const outcome result = weft_run(all);
    EXPECT_EQ(result.status, 2) << each.complaint;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith(each.complaint));
  }
  circumstances in;
  in.variables = {"WEFT_HUBS=many"};
  const outcome result = weft_run({"echo", "started"}, in);
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, StartsWith("WEFT_HUBS=many: not a number of hubs"));
}

TEST(run, says_which_program_it_cannot_start) {
  EXPECT_EQ(weft_run({"/nonexistent/program"}).status, 127);
  EXPECT_EQ(weft_run({"no-such-program-anywhere"}).status, 127);
  const outcome folder = weft_run({"/tmp"});
  EXPECT_EQ(folder.status, 126);
  EXPECT_EQ(folder.err, "weft run: cannot run /tmp: Permission denied\n");
  EXPECT_EQ(weft_run({"/etc/passwd"}).status, 126);
  EXPECT_EQ(weft_run({}).status, 2);
  EXPECT_EQ(weft_run({"--hubs", "2", "--"}).status, 2);
  EXPECT_THAT(weft_run({"--log", "/bin/true"}).err,
              HasSubstr("no program is named (/bin/true was taken as the value of --log)"));
  EXPECT_THAT(weft_run({"--report", "/nonexistent/file", "true"}).err,
              EndsWith("(a file for the report stands behind =: --report=/nonexistent/file)\n"));
  EXPECT_THAT(weft_run({"doctor", "true"}).err, EndsWith("(for the check before a run: weft doctor PROGRAM)\n"));
}

TEST(run, a_file_in_no_folder_is_refused_before_the_program_starts) {
  const outcome result = weft_run({"--report=/nonexistent/file", "echo", "started"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "weft run: --report /nonexistent/file: there is no such folder\n");
}

TEST(run, finds_no_shim_where_there_is_none) {
  const std::string alone = testing::TempDir() + "weft-alone-" + std::to_string(getpid());
  std::filesystem::copy_file(weft_command(), alone, std::filesystem::copy_options::overwrite_existing);
  const outcome result = run_command({alone, "run", "echo", "started"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("libweft-shim.so is neither beside this command nor in ../lib"));
  std::filesystem::remove(alone);
}

TEST(run, says_that_a_static_program_runs_as_ever) {
  const outcome result = weft_run({WEFT_TEST_STATIC_PROGRAM});
  EXPECT_EQ(result.status, 5);
  EXPECT_THAT(result.err, MatchesRegex("weft\\[[0-9]+\\]: runs without Weft: .* is static: .*\n"));
  const std::string log = testing::TempDir() + "weft-log-" + std::to_string(getpid());
  EXPECT_EQ(weft_run({"--log", log, WEFT_TEST_STATIC_PROGRAM}).err, "");
  EXPECT_GT(std::filesystem::file_size(log), 0U);
  std::filesystem::remove(log);
}

TEST(help, is_there_for_every_command) {
  for (const words& command :
       {words{"--help"}, words{"run", "--help"}, words{"run", "-h"}, words{"doctor", "--help"}}) {
    words all{weft_command()};
    all.insert(all.end(), command.begin(), command.end());
    const outcome result = run_command(all);
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.out, HasSubstr("Usage: weft"));
    EXPECT_EQ(result.err, "");
  }
  EXPECT_THAT(run_command({weft_command(), "--version"}).out, MatchesRegex("weft [0-9.]+\n"));
  EXPECT_EQ(run_command({weft_command()}).status, 2);
  EXPECT_EQ(run_command({weft_command(), "walk"}).status, 2);
}

// The table of options is what holds; the help and the manual must tell all of it and nothing else.
TEST(help, and_manual_name_every_option_and_group) {
  const std::string help = weft_run({"--help"}).out;
  std::ostringstream manual;
  manual << std::ifstream(WEFT_TEST_MANUAL).rdbuf();
  for (const base::option& each : base::options()) {
    if (each.flag != nullptr) {
      EXPECT_THAT(help, HasSubstr(each.flag));
      EXPECT_THAT(manual.str(), HasSubstr("`" + std::string(each.flag)));
    }
    EXPECT_THAT(help, HasSubstr(each.variable));
    EXPECT_THAT(manual.str(), HasSubstr("`" + std::string(each.variable)));
  }
  for (const base::patch_name& each : base::patch_names()) {
    EXPECT_THAT(manual.str(), HasSubstr("`" + std::string(each.name) + "`"));
  }
  std::istringstream text(help + " " + manual.str());
  std::set<std::string> known{"--help", "--json", "--version"};
  for (const base::option& each : base::options()) {
    if (each.flag != nullptr) known.insert(each.flag);
  }
  for (std::string word; text >> word;) {
    const std::size_t from = word.find_first_not_of("`[(");
    if (from == std::string::npos || word.compare(from, 2, "--") != 0) continue;
    const std::size_t end = word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", from);
    const std::string flag = word.substr(from, end == std::string::npos ? end : end - from);
    EXPECT_TRUE(flag == "--" || known.contains(flag)) << flag;
  }
}

}  // namespace
}  // namespace weft::test
