// SPDX-License-Identifier: MIT
// Two hubs in one process:
//
//     hubs_bench wake SECONDS       prints nanoseconds, "sleeping", "bare", "polling" and "line" with a figure each
//     hubs_bench echo HUBS SECONDS  prints "echo" and round trips a second
//
// sleeping  from the wake of a fiber of another hub that sleeps until it runs; bare: from a write to an eventfd until a thread
//           that waits for it in epoll_wait goes on
// polling   half a round trip between two fibers of two hubs that keep each other awake
// line      half a round trip of one word between two threads that look at nothing else: a line of the cache from one processor
//           to the other, which is what a wake of a hub that polls consists of
// echo      fibers in pairs, each pair with a socketpair of its own: one sends 64 bytes, the other sends them back
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>
#include <vector>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/run.hpp>
#include <weft/scope.hpp>
#include <weft/stream_socket.hpp>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

std::int64_t now_ns() { return steady::now().time_since_epoch().count(); }

// So that whom one wakes sleeps, and does not look for messages still.
void wait_until_it_sleeps() { std::this_thread::sleep_for(300us); }

double median(std::vector<std::int64_t> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return static_cast<double>(values[values.size() / 2]);
}

// Takes turns: waits, notes the time, wakes; the other side says when it went on.
template <class Wake>
double wake_times(double seconds, std::atomic<std::int64_t>& went_on, Wake&& wake) {
  std::vector<std::int64_t> all;
  for (const auto end = steady::now() + std::chrono::duration<double>(seconds); steady::now() < end;) {
    wait_until_it_sleeps();
    went_on = 0;
    const std::int64_t start = now_ns();
    wake();
    while (went_on == 0) {
    }
    all.push_back(went_on - start);
  }
  return median(std::move(all));
}

double sleeping(double seconds) {
  return weft::run({.hubs = 2}, [seconds] {
    std::atomic<std::int64_t> went_on{0};
    std::atomic<bool> stop{false};
    weft::event go;
    const weft::task<> other = weft::spawn({.on = weft::hubs()[1]}, [&] {
      while (!stop) {
        go.wait();
        go.clear();
        went_on = now_ns();
      }
    });
    const double found = wake_times(seconds, went_on, [&] { go.set(); });
    stop = true;
    go.set();
    other.join();
    return found;
  });
}

double bare(double seconds) {
  const int counter = eventfd(0, EFD_NONBLOCK);
  std::atomic<std::int64_t> went_on{0};
  std::atomic<bool> stop{false};
  std::thread other([&] {
    const int waits = epoll_create1(0);
    epoll_event interest{};
    interest.events = EPOLLIN;
    epoll_ctl(waits, EPOLL_CTL_ADD, counter, &interest);
    while (!stop) {
      epoll_event happened;
      epoll_wait(waits, &happened, 1, -1);
      std::uint64_t count = 0;
      if (read(counter, &count, sizeof count) == sizeof count) went_on = now_ns();
    }
    close(waits);
  });
  auto wake = [counter] {
    const std::uint64_t one = 1;
    if (write(counter, &one, sizeof one) != sizeof one) std::abort();
  };
  const double found = wake_times(seconds, went_on, wake);
  stop = true;
  wake();
  other.join();
  close(counter);
  return found;
}

double polling(double seconds) {
  return weft::run({.hubs = 2}, [seconds] {
    weft::event ping, pong;
    std::atomic<bool> stop{false};
    const weft::task<> other = weft::spawn({.on = weft::hubs()[1]}, [&] {
      while (!stop) {
        ping.wait();
        ping.clear();
        pong.set();
      }
    });
    std::int64_t trips = 0;
    const auto start = steady::now();
    while (steady::now() - start < std::chrono::duration<double>(seconds)) {
      for (int i = 0; i < 100; ++i, ++trips) {
        ping.set();
        pong.wait();
        pong.clear();
      }
    }
    const auto passed = std::chrono::nanoseconds(steady::now() - start).count();
    stop = true;
    ping.set();
    other.join();
    return static_cast<double>(passed) / static_cast<double>(trips) / 2;
  });
}

double line(double seconds) {
  alignas(64) std::atomic<int> turn{0};  // 1: the other one's; below zero: the end
  std::thread other([&] {
    for (int seen; (seen = turn.load(std::memory_order_acquire)) >= 0;) {
      if (seen == 1) turn.store(0, std::memory_order_release);
    }
  });
  std::int64_t trips = 0;
  const auto start = steady::now();
  while (steady::now() - start < std::chrono::duration<double>(seconds)) {
    for (int i = 0; i < 100; ++i, ++trips) {
      turn.store(1, std::memory_order_release);
      while (turn.load(std::memory_order_acquire) != 0) {
      }
    }
  }
  const auto passed = std::chrono::nanoseconds(steady::now() - start).count();
  turn = -1;
  other.join();
  return static_cast<double>(passed) / static_cast<double>(trips) / 2;
}

double echo(unsigned hubs, double seconds) {
  return weft::run({.hubs = hubs}, [hubs, seconds] {
    constexpr int pairs = 64;
    std::atomic<bool> stop{false};
    std::atomic<std::int64_t> trips{0};
    weft::scope all;
    all.run([&] {
      const auto where = weft::hubs();
      for (unsigned i = 0; i < pairs; ++i) {
        all.spawn({.on = where[i % hubs]}, [&] {
          auto [near, far] = weft::stream_socket::pair();
          const weft::task<> server = weft::spawn({.on = weft::hub::current()}, [far = std::move(far)]() mutable {
            char bytes[64];
            std::error_code ended;
            while (far.read_exactly(bytes, ended) == sizeof bytes) far.write_all(bytes);
          });
          char bytes[64] = {};
          std::int64_t mine = 0;
          for (; !stop; ++mine) {
            near.write_all(bytes);
            near.read_exactly(bytes);
          }
          trips += mine;
          near.close();
          server.join();
        });
      }
      weft::this_fiber::sleep_for(std::chrono::duration<double>(seconds));
      stop = true;
    });
    return static_cast<double>(trips) / seconds;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "wake" && argc == 3) {
    const double seconds = std::strtod(argv[2], nullptr);
    std::printf("sleeping %.0f\nbare %.0f\npolling %.0f\nline %.0f\n", sleeping(seconds), bare(seconds),
                polling(seconds), line(seconds));
  } else if (what == "echo" && argc == 4) {
    std::printf("echo %.0f\n", echo(static_cast<unsigned>(std::atoi(argv[2])), std::strtod(argv[3], nullptr)));
  } else {
    std::fprintf(stderr, "usage: hubs_bench wake SECONDS | echo HUBS SECONDS\n");
    return 2;
  }
  return 0;
}
