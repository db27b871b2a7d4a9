// SPDX-License-Identifier: MIT
// A pipeline of streams: three sensors measure at their own pace, and one of them fails now and then. Their readings are
// merged, checked, averaged in fours, and stored by a slow client, two at a time. Nothing runs ahead of that client, and
// everything ends with it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <vector>
#include <weft/broadcast.hpp>
#include <weft/channel.hpp>
#include <weft/fiber.hpp>
#include <weft/stream.hpp>
#include <weft/streams.hpp>

using namespace std::chrono_literals;

namespace {

struct reading {
  int sensor;
  double value;
};

// A device of 21 readings, the last of which is nonsense. The connection breaks at every `breaks_after`th.
class device {
 public:
  device(int number, int breaks_after) : number_(number), breaks_after_(breaks_after) {}

  std::optional<reading> measure() {
    if (given_ == 21) return std::nullopt;
    if (breaks_after_ != 0 && given_ % breaks_after_ == breaks_after_ - 1 && !broken_) {
      broken_ = true;
      ++failures_;
      throw std::runtime_error("connection lost");
    }
    broken_ = false;
    weft::this_fiber::sleep_for(std::chrono::microseconds(50 * number_));
    return reading{number_, ++given_ == 21 ? -1 : number_ * 10.0 + given_ % 2};
  }
  int failures() const { return failures_; }

 private:
  int number_, breaks_after_;
  int given_ = 0, failures_ = 0;
  bool broken_ = false;
};

double average(const std::vector<reading>& some) {
  const auto add = [](double sum, const reading& r) { return sum + r.value; };
  return std::accumulate(some.begin(), some.end(), 0.0, add) / static_cast<double>(some.size());
}

}  // namespace

int main() {
  device one(1, 0), two(2, 10), three(3, 0);
  const auto of = [](device& d) { return weft::streams::generate([&d] { return d.measure(); }).retry(3, 100us); };

  // Whoever wants to watch the pipeline subscribes; a slow watcher loses readings and holds up nobody.
  weft::broadcast<reading> live;
  auto watching = live.subscribe(4, weft::overflow::drop_oldest);
  const weft::fiber watcher = weft::spawn([&] {
    double highest = 0;
    for (const reading& r : watching) highest = std::max(highest, r.value);
    std::printf("highest reading seen: %.0f\n", highest);
  });

  int used = 0;
  const double sum = of(one)
                         .merge(of(two), of(three))
                         .filter([](const reading& r) { return r.value >= 0; })
                         .tap([&](const reading& r) {
                           ++used;
                           live.publish(r);
                         })
                         .buffer(4)
                         .map_unordered(
                             [](const std::vector<reading>& some) {
                               weft::this_fiber::sleep_for(200us);  // the database
                               return average(some);
                             },
                             2)
                         .fold(0.0, std::plus<>());
  live.close();
  watcher.join();
  const int averages = used / 4;
  std::printf("%d readings in %d averages, mean %.2f\n", used, averages, sum / averages);
  std::printf("sensor 2 was connected again %d times\n", two.failures());
}
