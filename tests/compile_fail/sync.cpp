// SPDX-License-Identifier: MIT
#include <mutex>
#include <stdexcept>
#include <utility>

#include "weft/barrier.hpp"
#include "weft/condition_variable.hpp"
#include "weft/event.hpp"
#include "weft/latch.hpp"
#include "weft/mutex.hpp"
#include "weft/once.hpp"
#include "weft/recursive_mutex.hpp"
#include "weft/semaphore.hpp"
#include "weft/shared_mutex.hpp"

using namespace std::chrono_literals;

void mistakes() {
  weft::mutex m;
  weft::recursive_mutex r;
  weft::shared_mutex s;
  weft::condition_variable c;
  weft::counting_semaphore<> units(1);
  weft::event e;
  weft::latch l(1);
  weft::barrier<> b(1);
  weft::once_flag once;
#ifdef MISTAKES
  { weft::mutex copy = m; }                                             // error: deleted
  { weft::mutex moved = std::move(m); }                                 // error: deleted
  { weft::recursive_mutex copy = r; }                                   // error: deleted
  { weft::shared_mutex copy = s; }                                      // error: deleted
  { weft::condition_variable copy = c; }                                // error: deleted
  { weft::counting_semaphore<> copy = units; }                          // error: deleted
  { weft::event copy = e; }                                             // error: deleted
  { weft::latch copy = l; }                                             // error: deleted
  { weft::barrier<> copy = b; }                                         // error: deleted
  { weft::once_flag copy = once; }                                      // error: deleted
  m.try_lock();                                                         // error: nodiscard
  m.lock(1s);                                                           // error: nodiscard
  r.try_lock_for(1s);                                                   // error: nodiscard
  s.lock_shared(1s);                                                    // error: nodiscard
  units.try_acquire();                                                  // error: nodiscard
  units.acquire(1s);                                                    // error: nodiscard
  b.arrive();                                                           // error: nodiscard
  weft::call_once_until(once, 1s, [] {});                               // error: nodiscard
  weft::barrier throws(1, [] { throw std::runtime_error("whose?"); });  // error: static.assert
  weft::counting_semaphore<-1> negative(0);                             // error: static.assert
  m.lock(1000);                                                         // error: no matching (member )?function
#endif
}
