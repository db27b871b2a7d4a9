// SPDX-License-Identifier: MIT
// What the headers of servers, resolvers and streams say of their misuse, as far as it is not in the tests of each class.
#include <gtest/gtest.h>
#include <signal.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/io/support.hpp"
#include "weft/datagram_server.hpp"
#include "weft/event.hpp"
#include "weft/process.hpp"
#include "weft/resolver.hpp"
#include "weft/stream_server.hpp"

namespace weft {
namespace {

using namespace test;

const address anywhere = address::loopback(AF_INET, 0);

bool is_refused(const address& at) {
  return failure([&] { stream_socket::connect(at, 60s); }) == std::errc::connection_refused;
}

TEST(misuse, a_stream_server_destroyed_by_its_handler) {
  std::unique_ptr<stream_server> server;
  std::string held = "what the handler holds lives on";
  server = std::make_unique<stream_server>(anywhere, [&server, held](stream_socket s) {
    server.reset();
    s.write_all(held);
  });
  const address at = server->local_address();
  const fiber waiting = spawn([&] { EXPECT_TRUE(server->serve()); });
  settle();
  stream_socket c = stream_socket::connect(at);
  std::string room(held.size(), '-');
  c.read_exactly(room, 60s);
  EXPECT_EQ(room, held);
  EXPECT_TRUE(waiting.join(1min));
  EXPECT_TRUE(waiting.successful());
  EXPECT_TRUE(is_refused(at));
}

TEST(misuse, a_datagram_server_destroyed_by_its_handler) {
  std::unique_ptr<datagram_server> server;
  std::string heard;
  event done;
  server = std::make_unique<datagram_server>(anywhere, [&](std::string_view message, const address&) {
    server.reset();
    heard = message;
    done.set();
  });
  const address at = server->local_address();
  server->start();
  datagram_socket::connect(at).send("last");
  EXPECT_TRUE(done.wait(1min));
  EXPECT_EQ(heard, "last");
}

TEST(misuse, a_server_that_is_assigned_to_ends) {
  const auto ignore = [](stream_socket) {};
  stream_server server(anywhere, ignore), other(anywhere, ignore);
  server.start();
  other.start();
  const address first = server.local_address(), second = other.local_address();
  server = std::move(other);
  EXPECT_TRUE(is_refused(first));
  EXPECT_EQ(server.local_address(), second);
  stream_server& same = server;
  server = std::move(same);
  EXPECT_TRUE(server.running());
  stream_socket::connect(second, 60s);
  EXPECT_TRUE(server.stop(1min));
}

template <class Server>
void expect_moved_away(Server& s) {
  EXPECT_FALSE(s.running());
  EXPECT_FALSE(s.stop_token().stop_possible());
  EXPECT_THROW(s.start(), std::logic_error);
  EXPECT_THROW(s.serve(), std::logic_error);
  EXPECT_THROW(s.join(), std::logic_error);
  EXPECT_THROW(s.stop(), std::logic_error);
  EXPECT_THROW(s.local_address(), std::logic_error);
}

TEST(misuse, a_server_that_was_moved_away) {
  stream_server streams(anywhere, [](stream_socket) {});
  const stream_server taken_streams(std::move(streams));
  expect_moved_away(streams);
  EXPECT_EQ(streams.connections(), 0U);
  datagram_server messages(anywhere, [](std::string_view, const address&) {});
  const datagram_server taken_messages(std::move(messages));
  expect_moved_away(messages);
  EXPECT_EQ(messages.handling(), 0U);
  EXPECT_THROW(messages.send_to("x", anywhere), std::logic_error);
}

TEST(misuse, nothing_to_look_for) {
  auto [a, b] = stream_socket::pair();
  std::string buffer;
  EXPECT_EQ(a.read_until(buffer, ""), 0U);
  EXPECT_EQ(failure([&from = a, &buffer] { from.read_until(buffer, "\n", 0); }), io_errc::too_long);
  EXPECT_EQ(buffer, "");
  EXPECT_EQ(failure([&to = b] { to.shutdown(77); }), std::errc::invalid_argument);
  char room[1];
  EXPECT_EQ(failure([&from = b, &room] { from.receive_fds({room, 0}, 1); }), std::errc::invalid_argument);
  EXPECT_EQ(failure([&from = b, &room] { from.receive_fds(room, 254); }), std::errc::invalid_argument);
  a.close();
  EXPECT_EQ(failure([&from = a] { (void)from.wait_readable(1min); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(a.release(), -1);
}

// Answers when the test says so.
struct slow_names final : name_service {
  void find_addresses(const name_query&, receiver done) override { open.push_back(std::move(done)); }
  void find_name(const address&, receiver done) override { open.push_back(std::move(done)); }
  std::vector<receiver> open;
};

TEST(misuse, a_resolver_destroyed_while_fibers_wait_in_it) {
  const auto names = std::make_shared<slow_names>();
  auto r = std::make_unique<resolver>(names, resolver_options{.keep = 1h});
  const address one = address::ip("192.0.2.1", 5);
  auto addresses = spawn([&] { return r->resolve("slow.example", 5); });
  auto late = spawn([&] { return failure([&] { r->resolve("late.example", 5, 1ms); }); });
  auto name = spawn([&] { return r->name_of(one); });
  settle();
  r.reset();
  EXPECT_EQ(late.get(1min), io_errc::timed_out);
  EXPECT_EQ(names->open.size(), 3U);
  while (!names->open.empty()) {
    names->open.back()({.addresses = {one}, .name = "one"});
    names->open.pop_back();
  }
  EXPECT_EQ(addresses.get(1min), std::vector{one});
  EXPECT_EQ(name.get(1min), "one");
}

TEST(misuse, a_process_that_was_moved_away) {
  process p({"true"});
  process& away = p;
  process taken(std::move(p));
  const auto expect_refused = [&](auto call) { EXPECT_THROW(static_cast<void>(call(away)), std::logic_error); };
  expect_refused([](process& one) { return one.pid(); });
  expect_refused([](process& one) { return one.in().is_open(); });
  expect_refused([](process& one) { return one.out().is_open(); });
  expect_refused([](process& one) { return one.err().is_open(); });
  expect_refused([](process& one) { return one.wait().success(); });
  expect_refused([](process& one) { return one.wait(1min); });
  expect_refused([](process& one) { return one.poll(); });
  expect_refused([](process& one) { return one.ready(); });
  expect_refused([](process& one) { return one.communicate(); });
  expect_refused([](process& one) { return one.kill(); });
  expect_refused([](process& one) { return one.send_signal_to_group(9); });
  p = std::move(taken);
  EXPECT_TRUE(p.wait().success());
  EXPECT_THROW(taken.wait(), std::logic_error);  // NOLINT(bugprone-use-after-move)
}

TEST(misuse, a_process_destroyed_while_fibers_wait_for_it) {
  auto p = std::make_unique<process>(std::vector<std::string>{"sleep", "1000"}, process_options{.out = stdio::pipe()});
  const pid_t pid = p->pid();
  auto waiting = spawn([&] { return p->wait(); });
  auto talking = spawn([&] { return failure([&] { p->communicate(); }); });
  settle();
  p.reset();  // the pipe is closed, the child runs on
  settle();
  EXPECT_FALSE(waiting.ready());
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_EQ(waiting.get(1min).signal(), SIGKILL);
  EXPECT_EQ(talking.get(1min), std::errc::bad_file_descriptor);
}

TEST(misuse, numbers_that_no_child_can_have) {
  const auto error_of = [](const process_options& options) {
    return failure([&] { process({"true"}, options).wait(); });
  };
  const int most = std::numeric_limits<int>::max();
  EXPECT_EQ(error_of({.descriptors = {{most, 1}}}), std::errc::invalid_argument);
  EXPECT_EQ(error_of({.descriptors = {{-1, 1}}}), std::errc::invalid_argument);
  EXPECT_EQ(error_of({.descriptors = {{5, -1}}}), std::errc::bad_file_descriptor);
  EXPECT_EQ(error_of({.in = stdio::from(-1)}), std::errc::bad_file_descriptor);
  EXPECT_EQ(error_of({.group = -5}), std::errc::invalid_argument);
  process p({"sleep", "1000"}, {.new_group = true});
  EXPECT_EQ(failure([&] { p.send_signal(-1); }), std::errc::invalid_argument);
  EXPECT_EQ(failure([&] { p.send_signal_to_group(1000); }), std::errc::invalid_argument);
  EXPECT_TRUE(p.kill());
  p.wait();
  EXPECT_TRUE(p.communicate().has_value());
  EXPECT_EQ(p.communicate("again")->out, "");
}

}  // namespace
}  // namespace weft
