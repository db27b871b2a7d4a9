// SPDX-License-Identifier: MIT
// docs/tutorial.md: fibers that end with a block, and what is a fiber's own.
#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

// [scope]
int price_at(const char* shop) {
  if (shop[0] == '\0') throw std::invalid_argument("a shop without a name");
  weft::this_fiber::sleep_for(2ms);
  return shop[0] - 'a';
}

void best_price() {
  int a = 0, b = 0;
  weft::scope both(5s);
  const bool in_time = both.run([&] {
    both.spawn([&] { a = price_at("first"); });
    both.spawn([&] { b = price_at("second"); });
  });  // here both have ended
  std::printf("%d and %d, %s\n", a, b, in_time ? "in time" : "too late");
}
// [end scope]

// [failure]
void one_fails() {
  weft::scope all;
  try {
    all.run([&] {
      all.spawn([] { weft::this_fiber::sleep_for(1h); });  // is cancelled as soon as the other has failed
      all.spawn(price_at, "");
    });
  } catch (const std::invalid_argument& e) {
    std::printf("all have ended, because of %s\n", e.what());
  }
}
// [end failure]

// [pool]
void at_most_three() {
  weft::pool pool(3);
  int inside = 0, most = 0;
  for (int i = 0; i < 10; ++i) {
    pool.spawn([&] {  // waits here while three are inside
      most = std::max(most, ++inside);
      weft::this_fiber::yield();
      --inside;
    });
  }
  pool.join();
  std::printf("at most %d at once, and squares:", most);
  for (const int square : pool.imap([](int n) { return n * n; }, std::vector{1, 2, 3, 4, 5}))
    std::printf(" %d", square);
  std::puts("");
}
// [end pool]

// [context]
weft::context_variable<std::string> request("none");
weft::local<int> steps;

void log(const char* what) { std::printf("[%s] step %d: %s\n", request.get().c_str(), ++*steps, what); }

void own_and_inherited() {
  const auto set = request.set("request 7");
  log("received");
  weft::spawn([] { log("a child has the request, and steps of its own"); }).join();
  log("answered");
}
// [end context]

}  // namespace

int main() {
  best_price();
  one_fails();
  at_most_three();
  own_and_inherited();
}
