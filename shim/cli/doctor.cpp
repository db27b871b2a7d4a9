// SPDX-License-Identifier: MIT
#include "shim/cli/doctor.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "shim/cli/checks.hpp"
#include "shim/cli/help.hpp"

namespace weft::shim::cli {
namespace {

constexpr char usage[] = "weft doctor [--json] [--] PROGRAM";
constexpr char description[] =
    "Says before a run whether and how PROGRAM can work under weft run, and what to do where it cannot.\n"
    "PROGRAM is looked for as a shell would; it is not started.";
constexpr char footer[] =
    "Levels: ok; note, good to know; warning, it works with limits; error, it cannot work.\n"
    "Exit status: 0 it works, 1 it works with limits, 2 it cannot, or an option is wrong.\n";

findings examine(const resolved_program& program) {
  findings result;
  check_scripts(program, result);
  if (program.path.empty()) {
    result.push_back({level::error, "file", program.problem, ""});
    return result;
  }
  check_privilege(program.path, result);
  const std::optional<elf_summary> elf = read_elf(program.path, true);
  if (check_format(elf, result)) {
    check_syscalls(program.path, check_libraries(program.path, *elf, result), result);
  }
  check_host(result);
  return result;
}

}  // namespace

int doctor(std::span<char*> words) {
  CLI::App app(description, "weft doctor");
  set_up(app, usage);
  bool json = false;
  app.add_flag("--json", json, "print one JSON object instead of lines");
  // All words behind the options, so that a second one can be told from an option that does not exist.
  std::vector<std::string> names;
  app.add_option("PROGRAM", names, "a program, by name or path")->required()->type_name("");
  app.footer(footer);
  if (const int status = parse(app, {words.begin(), words.end()}); status >= 0) return status;
  if (names.size() > 1) {
    std::cerr << "weft doctor: one program at a time, without its arguments: " << names[1] << " is too much\n";
    return 2;
  }
  const std::string& name = names.front();
  const resolved_program program = resolve_program(name);
  const findings found = examine(program);
  (json ? print_json : print_text)(std::cout, name, program.path, found);
  return verdict(found);
}

}  // namespace weft::shim::cli
