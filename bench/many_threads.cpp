// SPDX-License-Identifier: MIT
// An ordinary program that makes many std::threads, each of which sleeps; it knows nothing of Weft.
//   many_threads [COUNT [SECONDS]]   one line of JSON: how many lived at once and what each cost
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

std::atomic<long> alive = 0;

// A number of /proc/self/status, in its unit (KiB for memory).
long own_status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, name.size() + 1, name + ":") == 0) return std::atol(line.c_str() + name.size() + 1);
  }
  return -1;
}

void sleep_until_end(clock_type::time_point end) {
  ++alive;
  std::this_thread::sleep_until(end);
  --alive;
}

}  // namespace

int main(int argc, char** argv) {
  const long wanted = argc > 1 ? std::atol(argv[1]) : 100'000;
  const long seconds = argc > 2 ? std::atol(argv[2]) : 15;
  if (argc > 3 || wanted < 1 || wanted > 1'000'000 || seconds < 1 || seconds > 300) {
    std::fprintf(stderr, "usage: %s [COUNT [SECONDS]]   (1 to 1000000, 1 to 300)\n", argv[0]);
    return 2;
  }
  const auto start = clock_type::now();
  const auto end = start + std::chrono::seconds(seconds);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(wanted));
  std::thread(sleep_until_end, start).join();  // what the first thread alone sets up is not counted
  const long resident = own_status("VmRSS");
  const long tables = own_status("VmPTE");
  std::string refusal;
  try {
    for (long i = 0; i < wanted; ++i) threads.emplace_back(sleep_until_end, end);
  } catch (const std::system_error& error) {
    refusal = error.what();
  }
  const std::chrono::duration<double> making = clock_type::now() - start;
  const auto made = static_cast<long>(threads.size());
  // Each is alive once it has counted itself; a machine too slow for that within the time shows here.
  while (alive < made && clock_type::now() < end) std::this_thread::yield();
  const long peak = alive;
  const long resident_added = own_status("VmRSS") - resident;
  const long tables_added = own_status("VmPTE") - tables;
  const long os_threads = own_status("Threads");
  for (std::thread& thread : threads) thread.join();
  const double each = made > 0 ? 1.0 / static_cast<double>(made) : 0;
  std::printf(
      "{\"wanted\": %ld, \"alive\": %ld, \"os_threads\": %ld, \"make_seconds\": %.2f, \"rss_kib_each\": %.2f, "
      "\"pte_kib_each\": %.2f, \"refusal\": \"%s\"}\n",
      wanted, peak, os_threads, making.count(), static_cast<double>(resident_added) * each,
      static_cast<double>(tables_added) * each, refusal.c_str());
  return alive == 0 ? 0 : 1;
}
