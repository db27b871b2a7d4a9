// SPDX-License-Identifier: MIT
// What a user's first program needs from an installation: headers, the library, and that they fit each other.
#include <chrono>
#include <weft/weft.hpp>

int main() {
  using namespace std::chrono_literals;
  int sum = 0;
  weft::fiber first = weft::spawn([&] {
    weft::this_fiber::sleep_for(1ms);
    sum += 1;
  });
  weft::fiber second = weft::spawn([&] { sum += 2; });
  return first.join() && second.join() && sum == 3 ? 0 : 1;
}
