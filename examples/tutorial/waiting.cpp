// SPDX-License-Identifier: MIT
// docs/tutorial.md: waiting for one and for several.
#include <cstdio>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

int wait_and_give(int n) {
  weft::this_fiber::sleep_for(n * 2ms);
  return n;
}

// [deadline]
void deadlines() {
  const weft::task<int> slow = weft::spawn(wait_and_give, 20);
  if (!slow.join(1ms)) std::puts("not yet");
  const weft::deadline by = 10s;  // from now: one point in time, for as many calls as one likes
  std::printf("%d in time\n", slow.get(by));
}
// [end deadline]

// [each]
void in_the_order_of_their_ends() {
  std::vector<weft::task<int>> tasks;
  for (const int n : {9, 1, 5}) tasks.push_back(weft::spawn(wait_and_give, n));
  for (weft::task<int>& each : weft::wait_each(tasks, 10s)) std::printf("%d ", each.get());
  std::puts("have ended");
}
// [end each]

// [mixed]
void the_first_of_several() {
  weft::event stop;
  weft::task<int> answer = weft::spawn(wait_and_give, 3);
  weft::waitable_ref both[] = {stop, answer};
  const std::vector<weft::waitable_ref*> ready = weft::wait(both, 1, 10s);
  if (ready.size() == 1 && ready[0]->is(answer)) std::printf("the answer %d came first\n", answer.get());
}
// [end mixed]

}  // namespace

int main() {
  deadlines();
  in_the_order_of_their_ends();
  the_first_of_several();
}
