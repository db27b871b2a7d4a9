// SPDX-License-Identifier: MIT
// gevent's processes.py: other programs run beside this one, several at once, and the fibers wait for them.
#include <cstdio>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

std::string output_of(const std::vector<std::string>& command, const std::string& input) {
  return weft::check_output(command, input, 10s);
}

}  // namespace

int main() {
  const weft::task<std::string> sorted = weft::spawn(output_of, std::vector<std::string>{"sort"}, "weft\nfiber\n");
  const weft::task<std::string> loud = weft::spawn(output_of, std::vector<std::string>{"tr", "a-z", "A-Z"}, "hello\n");
  std::fputs((sorted.get() + loud.get()).c_str(), stdout);

  weft::process lasting({"sleep", "3600"});
  if (!lasting.wait(5ms)) std::puts("one has not ended");
  lasting.terminate();
  std::printf("and ends by signal %d\n", lasting.wait().signal());
}
