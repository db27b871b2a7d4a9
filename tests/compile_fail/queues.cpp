// SPDX-License-Identifier: MIT
#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "weft/broadcast.hpp"
#include "weft/channel.hpp"
#include "weft/queue.hpp"
#include "weft/select.hpp"

using namespace std::chrono_literals;

struct moves_badly {
  moves_badly() = default;
  moves_badly(moves_badly&&) {}
};

void mistakes() {
  weft::channel<int> c(1);
  weft::channel<std::unique_ptr<int>> owners(1);
  weft::queue<int> q;
  weft::broadcast<int> b;
  std::unique_ptr<int> owner;
  const auto nothing = [](auto&&...) {};
#ifdef MISTAKES
  { weft::channel<int> copy = c; }                 // error: deleted
  { weft::channel<int> moved = std::move(c); }     // error: deleted
  { weft::channel<moves_badly> risky(1); }         // error: static.assert
  { weft::channel<int&> of_references(1); }        // error: static.assert|pointer to reference
  c.send(1);                                       // error: nodiscard
  c.receive();                                     // error: nodiscard
  (void)owners.send(owner);                        // error: no matching|use of deleted|cannot bind
  c.receive(1000);                                 // error: no matching|(could not|cannot) convert|no viable conversion
  weft::select(1s, weft::on_receive(c, nothing));  // error: no matching function
  weft::select();                                  // error: no matching function
  { weft::priority_queue<int> p, copy(p); }        // error: deleted
  { weft::queue<moves_badly> risky; }              // error: static.assert
  { weft::broadcast<std::unique_ptr<int>> of_owners; }  // error: static.assert
  q.push(1);                                            // error: nodiscard
  q.pop();                                              // error: nodiscard
  q.peek(1s);                                           // error: nodiscard
  b.subscribe(1);                                       // error: nodiscard
  { auto one = b.subscribe(1), two = one; }             // error: deleted|no matching
#else
  (void)q, (void)b, (void)c, (void)owners, (void)owner, (void)nothing;
#endif
}
