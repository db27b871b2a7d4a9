// SPDX-License-Identifier: MIT
// Looks many names up at once, and prints each answer as it comes:
//     resolve [--at-once N] [--within SECONDS] [NAME...]     without names: those of standard input, one a line
// The exit status is 1 if a name was not found.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace {

struct found {
  std::string name;
  std::error_code error;
  std::vector<weft::address> addresses;
};

found look_up(const std::string& name, weft::deadline by) {
  found result{name, {}, {}};
  result.addresses = weft::default_resolver().resolve(name, 0, result.error, by);
  return result;
}

int usage() {
  std::fputs("usage: resolve [--at-once N] [--within SECONDS] [NAME...]\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  long at_once = 100, seconds = 10;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    long* const number = std::strcmp(argv[i], "--at-once") == 0  ? &at_once
                         : std::strcmp(argv[i], "--within") == 0 ? &seconds
                                                                 : nullptr;
    if (number == nullptr) {
      names.emplace_back(argv[i]);
    } else if (i + 1 == argc || (*number = std::atol(argv[++i])) < 1) {
      return usage();
    }
  }
  if (argc == 1) {
    for (std::string line; std::getline(std::cin, line);) names.push_back(line);
  }
  try {
    const weft::deadline by = std::chrono::seconds(seconds);
    weft::fiber_executor lookups(static_cast<std::size_t>(at_once));
    int missing = 0;
    for (const found& one : lookups.map_unordered([by](const std::string& name) { return look_up(name, by); }, names)) {
      std::printf("%s:", one.name.c_str());
      for (const weft::address& a : one.addresses) std::printf(" %s", a.ip().c_str());
      std::printf("%s%s\n", one.error ? " " : "", one.error ? one.error.message().c_str() : "");
      missing += one.error ? 1 : 0;
    }
    std::printf("%zu names, %d not found\n", names.size(), missing);
    return missing == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "resolve: %s\n", error.what());
    return 1;
  }
}
