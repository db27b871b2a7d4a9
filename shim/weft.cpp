// SPDX-License-Identifier: MIT
// The command `weft`: one file in cli/ for each of its commands.
#include <iostream>
#include <span>
#include <string_view>

#include "shim/cli/doctor.hpp"
#include "shim/cli/run.hpp"

namespace {

constexpr char help[] =
    "Usage: weft COMMAND ...\n"
    "\n"
    "Green threads for programs that know nothing of them.\n"
    "\n"
    "Commands:\n"
    "  run     run a program with its threads as green threads\n"
    "  doctor  say before the run whether and how a program can work\n"
    "\n"
    "weft COMMAND --help tells more. weft --version prints the version.\n";

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::span<char*> words(argv + (argc > 1 ? 2 : 1), static_cast<std::size_t>(argc > 1 ? argc - 2 : 0));
  if (command == "run") return weft::shim::cli::run(words);
  if (command == "doctor") return weft::shim::cli::doctor(words);
  if (command == "--version") {
    std::cout << "weft " << WEFT_VERSION << '\n';
    return 0;
  }
  if (command == "--help" || command == "-h") {
    std::cout << help;
    return 0;
  }
  if (!command.empty()) std::cerr << "weft: no command is called '" << command << "'\n";
  std::cerr << help;
  return 2;
}
