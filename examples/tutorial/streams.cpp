// SPDX-License-Identifier: MIT
// docs/tutorial.md: values that are changed on their way.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [stream]
void a_recipe() {
  const auto lines = weft::streams::from(std::vector{3, 1, 4, 1, 5, 9, 2, 6})
                         .filter([](int n) { return n > 1; })
                         .map([](int n) { return std::to_string(n * n); })
                         .take(4);
  for (const std::string& line : lines.collect()) std::printf("%s ", line.c_str());  // only here it runs
  std::puts("are squares");
}
// [end stream]

// [channel]
void from_a_channel() {
  weft::channel<int> readings(4);
  weft::spawn([&] {
    for (int i = 1; i <= 6 && readings.send(i); ++i) continue;
    readings.close();
  });
  weft::streams::from(readings).buffer(3).for_each(
      [](const std::vector<int>& some) { std::printf("%zu readings from %d on\n", some.size(), some.front()); });
}
// [end channel]

// [retry]
void retried() {
  int tries = 0;
  const auto answer = weft::streams::defer([&] {
                        if (++tries < 3) throw std::runtime_error("not yet");
                        return weft::streams::from(std::vector{42});
                      })
                          .retry(5, 1ms)
                          .first(10s);
  std::printf("%d after %d tries\n", answer.value_or(0), tries);
}
// [end retry]

}  // namespace

int main() {
  a_recipe();
  from_a_channel();
  retried();
}
