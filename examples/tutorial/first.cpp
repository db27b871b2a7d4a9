// SPDX-License-Identifier: MIT
// docs/tutorial.md: the first fibers, and what they give.
// [turns]
#include <cstdio>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

void count(const char* name) {
  for (int i = 1; i <= 3; ++i) {
    std::printf("%s %d\n", name, i);
    weft::this_fiber::yield();
  }
}

void take_turns() {
  const weft::task<> left = weft::spawn(count, "left");
  const weft::task<> right = weft::spawn(count, "right");
  std::puts("nothing has run yet");
  left.join();
  right.join();
}
// [end turns]

// [results]
std::string greeting(const std::string& who) {
  if (who.empty()) throw std::invalid_argument("greet whom?");
  return "hello " + who;
}

void results() {
  weft::task<std::string> good = weft::spawn(greeting, "fiber");
  weft::task<std::string> bad = weft::spawn(greeting, "");
  std::puts(good.get().c_str());
  try {
    bad.get();
  } catch (const std::invalid_argument& e) {
    std::puts(e.what());
  }
}
// [end results]

// [attributes]
void attributes() {
  const weft::task<> reader =
      weft::spawn({.name = "reader", .stack_size = 1 << 20}, [] { std::puts("a megabyte of stack"); });
  const weft::task<> later = weft::spawn_after(std::chrono::milliseconds(5), [] { std::puts("5 ms later"); });
  weft::join_all({reader, later});
}
// [end attributes]

int main() {
  take_turns();
  results();
  attributes();
}
