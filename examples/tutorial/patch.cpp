// SPDX-License-Identifier: MIT
// docs/tutorial.md: libraries that block, in fibers.
#include <errno.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <weft/patch.hpp>
#include <weft/weft.hpp>

namespace {

// [library]
// Written for threads, by people who have never heard of Weft.
std::string old_client(int fd) {
  char answer[16];
  const ssize_t n = read(fd, answer, sizeof answer);
  return n < 0 ? std::strerror(errno) : std::string(answer, static_cast<std::size_t>(n));
}
// [end library]

// [call]
void two_calls_at_once() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return;
  auto answer = weft::spawn(old_client, ends[0]);  // parks in its read(2)
  auto server = weft::spawn([&] { return write(ends[1], "woven", 5); });
  std::printf("%s\n", answer.get().c_str());
  server.get();
  close(ends[0]);
  close(ends[1]);
}
// [end call]

// [threads]
void threads_are_fibers() {
  static thread_local int calls = 0;
  const auto count = [] { return ++calls; };
  const int first = weft::spawn(count).get(), second = weft::spawn(count).get();
  std::printf("%d and %d: each has its own\n", first, second);

  std::mutex m;  // the standard's: who waits for it lets the others run
  std::unique_lock held(m);
  std::thread other([&] {
    const std::lock_guard guard(m);
    std::puts("a std::thread on the same OS thread");
  });
  held.unlock();
  other.join();
}
// [end threads]

// [kill]
void a_call_is_cancelled() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return;
  auto client = weft::spawn([&] {
    std::printf("%s\n", old_client(ends[0]).c_str());  // nobody will write
    weft::this_fiber::interruption_point();            // here the kill is thrown
    std::puts("never printed");
  });
  weft::this_fiber::yield();
  client.kill();
  close(ends[0]);
  close(ends[1]);
}
// [end kill]

// [light]
void on_request() {
  // For code that calls no library that waits: it costs less, and shares its hub's thread_local variables.
  auto light = weft::spawn({.weight = weft::fiber_weight::light}, [] { return 6 * 7; });
  std::printf("%d\n", light.get());
  weft::patch::original(usleep)(1000);  // the whole hub sleeps, as it would without the patch
}
// [end light]

}  // namespace

// [main]
int main() {
  weft::patch::all();  // first of all: before there are other threads and fibers
  two_calls_at_once();
  threads_are_fibers();
  a_call_is_cancelled();
  on_request();
}
// [end main]
