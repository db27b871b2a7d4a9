// SPDX-License-Identifier: MIT
#include "shim/cli/run.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "base/config.hpp"
#include "base/message.hpp"
#include "shim/cli/arguments.hpp"
#include "shim/cli/checks.hpp"
#include "shim/cli/help.hpp"
#include "shim/cli/locate.hpp"

namespace weft::shim::cli {
namespace {

constexpr int usage_error = 2;
constexpr int not_executable = 126;
constexpr int not_found = 127;

constexpr char usage[] = "weft run [OPTIONS] [--] PROGRAM [ARGS...]";
constexpr char description[] =
    "Runs PROGRAM with its threads as green threads: its arguments, exit status and signals stay as they are.\n"
    "Options behind PROGRAM are its own.";

struct given_option {
  const base::option* what;
  CLI::Option* flag = nullptr;
  std::string value;
};

// One flag for each row of the table that has one.
std::deque<given_option> add_options(CLI::App& app) {
  std::deque<given_option> given;
  for (const base::option& each : base::options()) {
    if (each.flag == nullptr) continue;
    given_option& added = given.emplace_back();
    added.what = &each;
    const bool no_value = each.value == base::option_value::none;
    const std::string help = std::string(each.help) + " [" + each.variable +
                             (no_value ? std::string("=0]") : std::string(", default: ") + each.initial + "]");
    if (no_value) {
      added.value = "0";
      added.flag = app.add_flag(each.flag, help);
    } else {
      added.flag = app.add_option(each.flag, added.value, help);
      added.flag->type_name(each.value == base::option_value::optional ? std::string("[=") + each.placeholder + "]"
                                                                       : each.placeholder);
    }
  }
  return given;
}

std::string footer() {
  std::string text = "Groups for --patch, taken away with a - in front:\n";
  for (const base::patch_name& each : base::patch_names()) {
    if (each.help != nullptr)
      text += "  " + std::string(each.name) + std::string(10 - std::strlen(each.name), ' ') + each.help + "\n";
  }
  return text +
         "\nEach option is an environment variable too, so that LD_PRELOAD=libweft-shim.so PROGRAM does the same.\n"
         "WEFT=0 switches everything off. weft doctor PROGRAM says before the run whether and how it can work.\n";
}

// Checks the value and hands it on as the option's variable. The program may change its folder: file names are made absolute.
bool hand_on(const given_option& option) {
  base::config scratch;
  base::fixed_text<512> problem;
  if (!base::parse_option(scratch, option.what->id, option.value, problem)) {
    std::cerr << "weft run: " << option.what->flag << ' ' << option.value << ": " << problem.view() << '\n';
    return false;
  }
  const bool names_file = option.what->id == base::option_id::log || scratch.report_file[0] != '\0';
  const std::string value = names_file ? std::filesystem::absolute(option.value).string() : option.value;
  if (names_file && !std::filesystem::exists(std::filesystem::path(value).parent_path())) {
    std::cerr << "weft run: " << option.what->flag << ' ' << option.value << ": there is no such folder\n";
    return false;
  }
  setenv(option.what->variable, value.c_str(), 1);
  return true;
}

bool set_environment(const std::deque<given_option>& given) {
  for (const given_option& option : given) {
    if (option.flag->count() != 0 && !hand_on(option)) return false;
  }
  base::config scratch;
  base::fixed_text<2048> problems;
  if (!base::parse_environment(scratch, environ, problems)) {
    std::cerr << problems.view() << "weft run: the variables above are wrong; nothing was started\n";
    return false;
  }
  const std::string shim = find_shim();
  if (shim.empty()) {
    std::cerr << "weft run: libweft-shim.so is neither beside this command nor in ../lib; install it there\n";
    return false;
  }
  if (shim.find_first_of(": ") != std::string::npos) {
    std::cerr << "weft run: the loader cannot preload " << shim << ": its path has a colon or a space; move it\n";
    return false;
  }
  setenv("LD_PRELOAD", preload_list(shim, getenv("LD_PRELOAD")).c_str(), 1);
  return true;
}

// A program that nothing can be preloaded into runs all the same, but its owner should know that it runs as ever.
void warn_where_nothing_will_change(const char* name) {
  const resolved_program program = resolve_program(name);
  const std::optional<elf_summary> elf = read_elf(program.path, false);
  if (!elf) return;
  findings found;
  check_privilege(program.path, found);
  check_format(elf, found);
  for (const finding& each : found) {
    if (each.severity != level::error) continue;
    base::open_messages(getenv(base::find_option(base::option_id::log).variable));
    base::say(std::string("runs without Weft: ") + name + " is " + each.text);
    return;
  }
}

// What was probably meant by words that name no program, or one that cannot be found.
std::string hint(const parted_arguments& parted) {
  const std::vector<std::string>& options = parted.options;
  if (parted.program == nullptr) {
    if (options.size() < 2 || options.back().starts_with('-')) return "";
    return " (" + options.back() + " was taken as the value of " + options[options.size() - 2] + ")";
  }
  const std::string_view name = parted.program[0];
  if (name == "doctor") return " (for the check before a run: weft doctor PROGRAM)";
  if (!options.empty() && options.back() == "--report=-") {
    return " (a file for the report stands behind =: --report=" + std::string(name) + ")";
  }
  return "";
}

}  // namespace

int run(std::span<char*> words) {
  CLI::App app(description, "weft run");
  set_up(app, usage);
  const std::deque<given_option> given = add_options(app);
  app.footer(footer());
  const parted_arguments parted = part_arguments(words);
  if (const int status = parse(app, parted.options); status >= 0) return status;
  if (parted.program == nullptr) {
    std::cerr << "weft run: no program is named" << hint(parted) << "; usage: " << usage << '\n';
    return usage_error;
  }
  if (!set_environment(given)) return usage_error;
  warn_where_nothing_will_change(parted.program[0]);
  execvp(parted.program[0], parted.program);
  const int error = errno;
  std::cerr << "weft run: cannot run " << parted.program[0] << ": " << std::strerror(error) << hint(parted) << '\n';
  return error == ENOENT || error == ENOTDIR ? not_found : not_executable;
}

}  // namespace weft::shim::cli
