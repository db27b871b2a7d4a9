// SPDX-License-Identifier: MIT
// weft-load: a bounded load on a server of this machine. One thread, raw epoll, no code of Weft.
#include <arpa/inet.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include "load/engine.hpp"

namespace {

constexpr std::uint32_t most_connections = 100'000;
constexpr double longest_run = 600;
constexpr rlim_t spare_files = 32;

volatile bool stop_asked = false;

void ask_stop(int) { stop_asked = true; }

struct report_style {
  bool json = false;
};

bool raise_open_files(std::uint32_t connections) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= connections + spare_files) return true;
  std::fprintf(stderr, "weft-load: %u connections need more open files than the hard limit of %llu\n", connections,
               static_cast<unsigned long long>(limit.rlim_max));
  return false;
}

void print_json(const weft_load::options& asked, const weft_load::result& r) {
  const double rate = r.measured_seconds > 0 ? static_cast<double>(r.latency.count()) / r.measured_seconds : 0;
  std::printf(
      "{\"connections\": %u, \"connected\": %u, \"connect_seconds\": %.3f, \"seconds\": %.3f, \"requests\": %llu, "
      "\"requests_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"errors\": %llu, \"first_error\": \"%s\"",
      asked.connections, r.connected, r.connect_seconds, r.measured_seconds,
      static_cast<unsigned long long>(r.latency.count()), rate, static_cast<double>(r.latency.quantile(0.5)) / 1e3,
      static_cast<double>(r.latency.quantile(0.99)) / 1e3, static_cast<unsigned long long>(r.errors),
      r.first_error.c_str());
  if (r.before.valid && r.after.valid) {
    std::printf(", \"server\": {\"cpu_seconds\": %.2f, \"threads\": %ld, \"rss_kib\": %ld, \"pte_kib\": %ld}",
                r.after.cpu_seconds - r.before.cpu_seconds, r.after.threads, r.after.resident_kib,
                r.after.page_tables_kib);
  }
  std::printf("}\n");
}

void print_text(const weft_load::options& asked, const weft_load::result& r) {
  const double rate = r.measured_seconds > 0 ? static_cast<double>(r.latency.count()) / r.measured_seconds : 0;
  std::printf("%u of %u connections in %.2f s\n", r.connected, asked.connections, r.connect_seconds);
  if (!asked.idle) {
    std::printf("%.0f requests/s (%llu in %.2f s)   p50 %.3f ms   p99 %.3f ms\n", rate,
                static_cast<unsigned long long>(r.latency.count()), r.measured_seconds,
                static_cast<double>(r.latency.quantile(0.5)) / 1e6,
                static_cast<double>(r.latency.quantile(0.99)) / 1e6);
  }
  if (r.before.valid && r.after.valid) {
    std::printf("server: %.2f s of CPU time, %ld threads, %ld KiB resident, %ld KiB of page tables\n",
                r.after.cpu_seconds - r.before.cpu_seconds, r.after.threads, r.after.resident_kib,
                r.after.page_tables_kib);
  }
  std::printf("%llu errors%s%s\n", static_cast<unsigned long long>(r.errors), r.errors > 0 ? ", the first: " : "",
              r.first_error.c_str());
}

int run(const weft_load::options& asked, const report_style& style) {
  weft_load::engine engine(asked);
  engine.connect_all();
  if (asked.idle) {
    std::printf("holding %u\n", engine.outcome().connected);
    std::fflush(stdout);
    engine.hold(stop_asked);
  } else {
    engine.measure();
  }
  if (style.json) {
    print_json(asked, engine.outcome());
  } else {
    print_text(asked, engine.outcome());
  }
  return engine.outcome().errors == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  weft_load::options asked;
  report_style style;
  std::string host = "127.0.0.1";
  CLI::App app("A bounded load on a server of this machine: many connections, one request at a time on each.",
               "weft-load");
  app.add_option("port", asked.port, "port of the server")->required()->check(CLI::Range(1, 65535));
  app.add_option("--host", host, "loopback address of the server")->capture_default_str();
  app.add_option("-c,--connections", asked.connections)->check(CLI::Range(1U, most_connections))->capture_default_str();
  app.add_option("-s,--seconds", asked.seconds, "how long to count")
      ->check(CLI::Range(0.0, longest_run))
      ->capture_default_str();
  app.add_option("-n,--requests", asked.requests, "end after so many (0: none but the time ends it)")
      ->capture_default_str();
  app.add_option("--warm-up", asked.warm_up, "seconds of load that are not counted")
      ->check(CLI::Range(0.0, longest_run))
      ->capture_default_str();
  app.add_option("--size", asked.size, "bytes of an echoed message")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--pace", asked.pace, "connections on their way in at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--connect-seconds", asked.connect_seconds, "time for all connections to be made")
      ->check(CLI::Range(0.0, longest_run))
      ->capture_default_str();
  app.add_flag("--http", asked.http, "GET over kept-alive connections instead of an echo");
  app.add_option("--path", asked.path, "what to GET")->capture_default_str();
  app.add_flag("--idle", asked.idle, "connect, prove each connection once, print \"holding N\" and keep silent");
  app.add_option("--server-pid", asked.server, "also report this process's CPU time, threads and memory");
  app.add_flag("--json", style.json, "one line of JSON");
  CLI11_PARSE(app, argc, argv);
  if (inet_pton(AF_INET, host.c_str(), &asked.address) != 1) {
    std::fprintf(stderr, "weft-load: '%s' is not an IPv4 address\n", host.c_str());
    return 2;
  }
  if (!raise_open_files(asked.connections)) return 2;
  std::signal(SIGTERM, ask_stop);
  std::signal(SIGINT, ask_stop);
  try {
    return run(asked, style);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weft-load: %s\n", error.what());
    return 2;
  }
}
