// SPDX-License-Identifier: MIT
// One thread and one epoll that hold many connections, each with at most one request under way (depth 1).
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "histogram.hpp"
#include "process.hpp"
#include "protocol.hpp"

namespace weft_load {

struct options {
  in_addr address{};
  std::uint16_t port = 0;
  std::uint32_t connections = 100;
  double seconds = 5;
  double warm_up = 1;
  double connect_seconds = 60;  // for all connections together
  std::uint64_t requests = 0;   // 0: as many as fit
  std::size_t size = 64;
  std::uint32_t pace = 128;  // connections that may be on their way in at once
  bool http = false;
  bool idle = false;
  std::string path = "/";
  pid_t server = 0;
};

struct result {
  std::uint32_t connected = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  double connect_seconds = 0;
  double measured_seconds = 0;
  histogram latency;
  process_sample before;
  process_sample after;
};

class engine {
 public:
  explicit engine(const options& chosen);
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  ~engine();

  // Opens all connections, each proven by one exchange that is not counted.
  void connect_all();
  // Requests on all of them; counts after the warm-up.
  void measure();
  // Holds them in silence until the time is over or stop is set by a signal's handler.
  void hold(const volatile bool& stop);

  [[nodiscard]] const result& outcome() const { return result_; }

 private:
  enum class state : unsigned char { unused, connecting, busy, idle, failed };

  struct connection {
    int fd = -1;
    state now = state::unused;
    bool wants_out = false;
    std::uint32_t sequence = 0;
    std::size_t sent = 0;
    std::uint64_t started = 0;
    std::string request;
    std::string answer;
  };

  void open_one(std::uint32_t index);
  bool bind_source(int fd, std::uint32_t index) const;
  void start_request(connection& c, std::uint32_t index);
  void push(connection& c, std::uint32_t index);
  void pull(connection& c, std::uint32_t index);
  void settle(connection& c, std::uint32_t index);
  void watch(connection& c, std::uint32_t index, bool out);
  void fail(connection& c, const char* what, int error);
  void handle(const epoll_event& event);
  void poll(std::uint64_t until);
  [[nodiscard]] bool enough() const;

  options options_;
  echo_protocol echo_;
  http_protocol http_;
  result result_;
  std::vector<connection> connections_;
  std::vector<epoll_event> events_;
  int epoll_ = -1;
  std::uint32_t opening_ = 0;
  bool running_ = false;
  bool counting_ = false;
};

}  // namespace weft_load
