// SPDX-License-Identifier: MIT
#pragma once

#include <future>
#include <thread>
#include <vector>

#include "weft/event.hpp"
#include "weft/hub.hpp"

namespace weft::test {

/// Hubs of threads that do nothing else, until it is destroyed.
class other_hubs {
 public:
  explicit other_hubs(int count) {
    for (int i = 0; i < count; ++i) {
      std::promise<hub> made;
      std::future<hub> there = made.get_future();
      threads_.emplace_back([this, &made] {
        made.set_value(hub::current());
        end_.wait();
      });
      hubs.push_back(there.get());
    }
  }
  ~other_hubs() { end_.set(); }
  std::vector<hub> hubs;

 private:
  event end_;
  std::vector<std::jthread> threads_;
};

}  // namespace weft::test
