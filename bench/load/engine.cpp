// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <system_error>

namespace weft_load {
namespace {

constexpr std::size_t event_batch = 512;
constexpr std::size_t read_size = 65536;
// Well below the 28,000 ports of the default ip_local_port_range: the next block takes another address.
constexpr std::uint32_t connections_per_source = 16000;
constexpr std::uint32_t first_source = (127U << 24) | 1U;

std::uint64_t now() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

double since(std::uint64_t start) { return static_cast<double>(now() - start) / 1e9; }

}  // namespace

engine::engine(const options& chosen)
    : options_(chosen), echo_(chosen.size), http_(chosen.path), connections_(chosen.connections), events_(event_batch) {
  if ((ntohl(options_.address.s_addr) >> 24) != 127) {
    throw std::invalid_argument("only loopback addresses (127.0.0.0/8) are loaded");
  }
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

engine::~engine() {
  for (const connection& c : connections_) {
    if (c.fd >= 0) close(c.fd);
  }
  close(epoll_);
}

void engine::connect_all() {
  const std::uint64_t start = now();
  const std::uint64_t limit = start + nanoseconds(options_.connect_seconds);
  std::uint32_t next = 0;
  while ((next < connections_.size() || opening_ > 0) && now() < limit) {
    while (next < connections_.size() && opening_ < options_.pace) open_one(next++);
    poll(limit);
  }
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    connection& c = connections_[i];
    if (c.now == state::idle) ++result_.connected;
    if (c.now != state::idle && c.now != state::failed) fail(c, "not connected in time", 0);
  }
  result_.connect_seconds = since(start);
}

void engine::measure() {
  running_ = true;
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].now == state::idle) start_request(connections_[i], i);
  }
  const std::uint64_t warm = now() + nanoseconds(options_.warm_up);
  while (now() < warm) poll(warm);
  if (options_.server > 0) result_.before = sample_process(options_.server);
  counting_ = true;
  const std::uint64_t start = now();
  const std::uint64_t end = start + nanoseconds(options_.seconds);
  while (now() < end && !enough()) poll(end);
  result_.measured_seconds = since(start);
  if (options_.server > 0) result_.after = sample_process(options_.server);
  running_ = counting_ = false;
}

void engine::hold(const volatile bool& stop) {
  const std::uint64_t start = now();
  const std::uint64_t end = start + nanoseconds(options_.seconds);
  if (options_.server > 0) result_.before = sample_process(options_.server);
  while (!stop && now() < end) poll(end);
  if (options_.server > 0) result_.after = sample_process(options_.server);
  result_.measured_seconds = since(start);
}

bool engine::enough() const {
  const bool none_left =
      std::none_of(connections_.begin(), connections_.end(), [](const connection& c) { return c.now == state::busy; });
  return none_left || (options_.requests > 0 && result_.latency.count() >= options_.requests);
}

bool engine::bind_source(int fd, std::uint32_t index) const {
  if (connections_.size() <= connections_per_source) return true;
  // The port is then chosen at connect(), where the whole four-tuple must be free: ip(7).
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in source = {};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(first_source + index / connections_per_source);
  return bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0;
}

void engine::open_one(std::uint32_t index) {
  connection& c = connections_[index];
  c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c.fd < 0) return fail(c, "socket", errno);
  if (!bind_source(c.fd, index)) return fail(c, "bind", errno);
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  peer.sin_addr = options_.address;
  peer.sin_port = htons(options_.port);
  if (connect(c.fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0 && errno != EINPROGRESS) {
    return fail(c, "connect", errno);
  }
  c.now = state::connecting;
  c.wants_out = true;
  ++opening_;
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u32 = index;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0) fail(c, "epoll_ctl", errno);
}

void engine::watch(connection& c, std::uint32_t index, bool out) {
  if (c.wants_out == out) return;
  c.wants_out = out;
  epoll_event event = {};
  event.events = EPOLLIN | (out ? EPOLLOUT : 0U);
  event.data.u32 = index;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event) != 0) fail(c, "epoll_ctl", errno);
}

void engine::fail(connection& c, const char* what, int error) {
  if (c.now == state::connecting || (c.now == state::busy && !running_)) --opening_;
  if (result_.errors++ == 0) {
    result_.first_error = error == 0 ? what : std::string(what) + ": " + std::strerror(error);
  }
  if (c.fd >= 0) close(c.fd);
  c.fd = -1;
  c.now = state::failed;
}

void engine::start_request(connection& c, std::uint32_t index) {
  if (options_.http) {
    http_.request(c.request);
  } else {
    echo_.request(index, c.sequence++, c.request);
  }
  c.answer.clear();
  c.sent = 0;
  c.now = state::busy;
  c.started = now();
  push(c, index);
}

void engine::push(connection& c, std::uint32_t index) {
  while (c.sent < c.request.size()) {
    const ssize_t sent = send(c.fd, c.request.data() + c.sent, c.request.size() - c.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return watch(c, index, true);
      return fail(c, "send", errno);
    }
    c.sent += static_cast<std::size_t>(sent);
  }
  watch(c, index, false);
}

void engine::pull(connection& c, std::uint32_t index) {
  static char buffer[read_size];
  const ssize_t received = recv(c.fd, buffer, sizeof buffer, 0);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return fail(c, "recv", errno);
  }
  if (received == 0) return fail(c, "closed by the server", 0);
  if (c.now != state::busy) return fail(c, "an answer that was not asked for", 0);
  c.answer.append(buffer, static_cast<std::size_t>(received));
  const verdict seen = options_.http ? http_.check(c.answer) : echo_.check(c.answer, c.request);
  if (seen == verdict::wrong) return fail(c, "a wrong answer", 0);
  if (seen == verdict::complete) settle(c, index);
}

void engine::settle(connection& c, std::uint32_t index) {
  if (counting_) result_.latency.add(now() - c.started);
  if (running_) return start_request(c, index);
  c.now = state::idle;
  --opening_;
}

void engine::handle(const epoll_event& event) {
  const std::uint32_t index = event.data.u32;
  connection& c = connections_[index];
  if (c.now == state::failed) return;
  if (c.now == state::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(c, "connect", error);
    return start_request(c, index);
  }
  if ((event.events & EPOLLOUT) != 0 && c.now == state::busy) push(c, index);
  if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && c.fd >= 0) pull(c, index);
}

void engine::poll(std::uint64_t until) {
  const std::uint64_t at = now();
  const std::uint64_t left = until > at ? (until - at) / 1'000'000U + 1 : 0;
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()),
                               static_cast<int>(std::min<std::uint64_t>(left, 1000)));
  for (int i = 0; i < count; ++i) handle(events_[static_cast<std::size_t>(i)]);
}

}  // namespace weft_load
