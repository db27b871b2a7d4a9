// SPDX-License-Identifier: MIT
// docs/tutorial.md: worker processes.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace {

// [functions]
std::size_t length_of(const std::string& text) { return text.size(); }

int crash(int how) {
  if (how == 0) std::abort();
  throw std::runtime_error("not this time");
}
// [end functions]

// [pool]
void workers() {
  weft::process_pool pool({.limit = 2});
  const std::vector<std::string> words{"a", "bc", "def"};
  for (const std::size_t n : pool.map<length_of>(words)) std::printf("%zu ", n);
  std::puts("letters");

  try {
    pool.apply<crash>(1);
  } catch (const weft::remote_error& e) {
    std::printf("a worker threw: %s\n", e.what());
  }
  try {
    pool.apply<crash>(0);
  } catch (const weft::worker_died&) {
    std::puts("a worker died, and the next one is at work:");
  }
  std::printf("%zu letters\n", pool.apply<length_of>(std::string("survived")));
}
// [end pool]

}  // namespace

// [main]
int main(int argc, char** argv) {
  weft::run_if_worker(argc, argv);  // a worker is this program, started again
  workers();
}
// [end main]
