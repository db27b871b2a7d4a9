// SPDX-License-Identifier: MIT
// The cases of gevent's tests of its servers, as far as they are about more than Python and stream_server_test.cpp and
// datagram_server_test.cpp have them not.
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "tests/io/support.hpp"
#include "weft/datagram_server.hpp"
#include "weft/stream_server.hpp"

namespace weft {
namespace {

using namespace test;

const address anywhere = address::loopback(AF_INET, 0);

// What its server of the tests does: one answer, one that lasts as long as the peer wants, and one for all else.
void answer(stream_socket s) {
  std::string request;
  request.resize(s.read_until(request, "\n"));
  if (request == "ping\n") {
    s.write_all("pong");
  } else if (request == "long\n" || request == "short\n") {
    s.write_all("hello");
    char room[1];
    while (s.read_some(room) != 0) continue;
  } else {
    s.write_all("what?");
  }
}

std::string asked(const address& at, std::string_view request, deadline by = 60s) {
  stream_socket s = stream_socket::connect(at, by);
  s.write_all(request);
  std::string answered;
  char room[64];
  while (const std::size_t n = s.read_some(room, by)) answered.append(room, n);
  return answered;
}

bool is_refused(const address& at) {
  return failure([&] { stream_socket::connect(at, 60s); }) == std::errc::connection_refused;
}

// How connections get their fibers: any number, or no more than two at once.
class served : public testing::TestWithParam<std::size_t> {
 protected:
  const server_options options{.limit = GetParam()};
  stream_server server{anywhere, answer, options};
  const address at = server.local_address();

  void expect_service() const {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(asked(at, "ping\n"), "pong");
  }
};
INSTANTIATE_TEST_SUITE_P(gevent, served, testing::Values(server_options{}.limit, std::size_t{2}));

TEST_P(served, it_starts_and_stops) {
  EXPECT_FALSE(server.running());
  server.start();
  EXPECT_TRUE(server.running());
  expect_service();
  server.stop();
  EXPECT_FALSE(server.running());
  EXPECT_TRUE(is_refused(at));
}

// gevent listens when it starts; here who comes early waits.
TEST_P(served, before_the_start_connections_wait_and_nobody_answers) {
  stream_socket early = stream_socket::connect(at, 60s);
  early.write_all("ping\n");
  char room[8];
  EXPECT_EQ(failure([&] { early.read_some(room, 5ms); }), io_errc::timed_out);
  server.start();
  EXPECT_EQ(early.read_some(room, 60s), 4U);
  expect_service();
}

TEST_P(served, before_the_start_a_stop_refuses_them) {
  server.stop();
  EXPECT_TRUE(is_refused(at));
  server.serve();  // nothing to wait for
  EXPECT_FALSE(server.running());
}

TEST_P(served, a_socket_that_listens_is_taken_over) {
  listener made(anywhere, {.backlog = 5});
  const address there = made.local_address();
  stream_server other(std::move(made), answer, options);
  other.start();
  EXPECT_EQ(asked(there, "ping\n"), "pong");
  EXPECT_EQ(other.local_address(), there);
  other.stop();
  EXPECT_TRUE(is_refused(there));
}

// The backlog is a listening socket's own affair, so only an address comes with one.
template <class... Args>
constexpr bool makes_a_server = std::is_constructible_v<stream_server, Args...>;
static_assert(makes_a_server<address, void (*)(stream_socket), server_options, listen_options>);
static_assert(!makes_a_server<listener, void (*)(stream_socket), server_options, listen_options>);

TEST_P(served, serving_goes_on_until_the_stop) {
  for (const bool begun : {false, true}) {
    stream_server other(anywhere, answer, options);
    if (begun) other.start();
    EXPECT_EQ(other.running(), begun);
    const fiber serving = spawn([&] { other.serve(); });
    EXPECT_EQ(asked(other.local_address(), "ping\n"), "pong");
    const address there = other.local_address();
    other.stop();
    EXPECT_FALSE(other.running());
    EXPECT_TRUE(is_refused(there));
    EXPECT_TRUE(serving.join(60s));
  }
}

TEST_P(served, who_serves_can_be_killed_which_stops_it) {
  const fiber serving = spawn([&] { server.serve(); });
  EXPECT_EQ(asked(at, "ping\n"), "pong");
  EXPECT_TRUE(serving.kill(60s));
  EXPECT_FALSE(server.running());
  EXPECT_TRUE(is_refused(at));
}

TEST_P(served, a_handler_that_does_nothing_ends_the_connection) {
  stream_server other(
      anywhere, [](const stream_socket&) {}, options);
  other.start();
  EXPECT_EQ(asked(other.local_address(), ""), "");
}

TEST_P(served, a_failing_handler_says_nothing_and_others_are_served) {
  int failures = 0;
  server_options counted = options;
  counted.on_error = [&](const std::exception_ptr&) { ++failures; };
  stream_server other(
      anywhere,
      [](stream_socket s) {
        std::string request;
        request.resize(s.read_until(request, "\n"));
        if (request != "ping\n") throw std::runtime_error("expected");
        s.write_all("pong");
      },
      counted);
  other.start();
  EXPECT_EQ(asked(other.local_address(), "error\n"), "");
  EXPECT_EQ(asked(other.local_address(), "ping\n"), "pong");
  EXPECT_EQ(failures, 1);
}

TEST(gevent_server, a_full_pool_answers_nobody_until_a_request_has_ended) {
  stream_server server(anywhere, answer, {.limit = 2});
  server.start();
  const address at = server.local_address();
  stream_socket patient = stream_socket::connect(at), brief = stream_socket::connect(at);
  char room[5];
  patient.write_all("long\n");
  brief.write_all("short\n");
  patient.read_exactly(room, 60s);
  brief.read_exactly(room, 60s);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(failure([&] { asked(at, "ping\n", 5ms); }), io_errc::timed_out);
  }
  brief.close();
  EXPECT_EQ(asked(at, "ping\n"), "pong");
  EXPECT_EQ(server.connections(), 1U) << "the patient one's";
}

// gevent finds out at the first connection.
TEST(gevent_server, what_is_no_handler_is_refused) {
  EXPECT_THROW(stream_server(anywhere, static_cast<void (*)(stream_socket)>(nullptr)), std::invalid_argument);
  EXPECT_THROW(stream_server(listener(anywhere), std::function<void(stream_socket, const address&)>()),
               std::invalid_argument);
  EXPECT_THROW(datagram_server(anywhere, nullptr), std::invalid_argument);
  EXPECT_THROW(datagram_server(datagram_socket::bind(anywhere), {}), std::invalid_argument);
}

TEST(gevent_server, with_a_limit_of_none_nobody_is_served) {
  stream_server server(anywhere, answer, {.limit = 0});
  server.start();
  EXPECT_EQ(failure([&] { asked(server.local_address(), "ping\n", 5ms); }), io_errc::timed_out);
  EXPECT_TRUE(server.stop(60s));
}

// In gevent's raw form the callback may not block; every handler has a fiber here, so any may.
TEST(gevent_server, a_handler_may_sleep) {
  stream_server server(anywhere, [](stream_socket s) {
    this_fiber::sleep_for(1ms);
    s.write_all("awake");
  });
  server.start();
  EXPECT_EQ(asked(server.local_address(), ""), "awake");
}

TEST(gevent_server, messages_are_answered) {
  datagram_server* shared = nullptr;
  datagram_server server(anywhere, [&](std::string_view message, const address& from) {
    shared->send_to("Received " + std::to_string(message.size()) + " bytes", from);
  });
  shared = &server;
  server.start();
  datagram_socket s = datagram_socket::connect(server.local_address());
  s.send(std::string_view("Test udp_server"));
  char room[64];
  const std::size_t n = s.receive(room, 60s).bytes;
  EXPECT_EQ(std::string_view(room, n), "Received 15 bytes");
}

}  // namespace
}  // namespace weft
