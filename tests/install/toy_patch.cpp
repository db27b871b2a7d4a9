// SPDX-License-Identifier: MIT
// A program that patches itself: the shim is found without help of the environment.
#include <unistd.h>

#include <weft/patch.hpp>
#include <weft/weft.hpp>

int main() {
  if (!weft::patch::all()) return 1;
  int turns = 0;
  auto other = weft::spawn([&] { ++turns; });
  usleep(1);  // libc's own
  return turns == 1 && other.join() ? 0 : 1;
}
