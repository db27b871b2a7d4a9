// SPDX-License-Identifier: MIT
// gevent's own cases for its DatagramServer are among these (test__server.py).
#include "weft/datagram_server.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/core/other_hubs.hpp"
#include "tests/io/support.hpp"
#include "weft/cancelled.hpp"

namespace weft {
namespace {

using namespace test;

const address anywhere = address::loopback(AF_INET, 0);

struct echo_server {
  explicit echo_server(const server_options& options = {})
      : server(
            anywhere, [this](std::string_view m, const address& from) { server.send_to(m, from); }, options) {
    server.start();
  }
  datagram_server server;
};

std::string ask(datagram_socket& s, std::string_view message, deadline by = 60s) {
  s.send(message);
  char room[100];
  return {room, s.receive(room, by).bytes};
}

TEST(datagram_server, each_message_is_handled) {
  echo_server echo;
  datagram_socket c = datagram_socket::connect(echo.server.local_address());
  EXPECT_EQ(ask(c, "one"), "one");
  EXPECT_EQ(ask(c, ""), "") << "an empty one is one too";
  EXPECT_EQ(ask(c, "two"), "two");
  EXPECT_TRUE(echo.server.running());
  EXPECT_TRUE(echo.server.stop());
  EXPECT_FALSE(echo.server.running());
  EXPECT_EQ(failure([&] { echo.server.send_to("x", c.local_address()); }),
            std::error_code(EBADF, std::system_category()));
  echo.server.start();
  EXPECT_FALSE(echo.server.running()) << "a stop is for good";
}

TEST(datagram_server, an_error_in_a_handler_ends_that_one_alone) {
  std::vector<std::string> errors;
  server_options options;
  options.on_error = [&](const std::exception_ptr& e) {
    try {
      std::rethrow_exception(e);
    } catch (const std::exception& error) {
      errors.emplace_back(error.what());
    }
  };
  datagram_server server(
      anywhere,
      [&](std::string_view m, const address& from) {
        if (m == "e") throw std::runtime_error("on request");
        server.send_to(m, from);
      },
      options);
  server.start();
  datagram_socket c = datagram_socket::connect(server.local_address());
  c.send("e");
  EXPECT_EQ(ask(c, "fine"), "fine");
  EXPECT_TRUE(within_a_minute([&] { return errors == std::vector<std::string>{"on request"}; }));
}

TEST(datagram_server, no_more_are_handled_at_once_than_the_limit) {
  std::set<std::string> begun;
  event may_end;
  datagram_server server(anywhere,
                         [&](std::string_view m, const address&) {
                           begun.emplace(m);
                           may_end.wait();
                         },
                         {.limit = 2});
  server.start();
  datagram_socket c = datagram_socket::connect(server.local_address());
  for (const char* m : {"a", "b", "c"}) c.send(std::string_view(m));
  EXPECT_TRUE(within_a_minute([&] { return begun.size() == 2; }));
  settle();
  EXPECT_EQ(begun, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(server.handling(), 2U);
  may_end.set();
  EXPECT_TRUE(within_a_minute([&] { return begun.size() == 3; }));
}

TEST(datagram_server, handlers_have_a_time_of_grace_and_may_send_in_it) {
  event stopping;
  datagram_server server(anywhere, [&](std::string_view m, const address& from) {
    const std::stop_callback tell(server.stop_token(), [&] { stopping.set(); });
    stopping.wait();
    server.send_to(m, from);
  });
  server.start();
  datagram_socket c = datagram_socket::connect(server.local_address());
  c.send("late");
  EXPECT_TRUE(within_a_minute([&] { return server.handling() == 1; }));
  EXPECT_TRUE(server.stop(60s));
  char room[10];
  EXPECT_EQ(c.receive(room, 60s).bytes, 4U);
}

TEST(datagram_server, who_does_not_end_in_time_is_cancelled) {
  bool begun = false, was_cancelled = false;
  datagram_server server(anywhere, [&](std::string_view, const address&) {
    begun = true;
    try {
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      was_cancelled = true;
      throw;
    }
  });
  auto serving = spawn([&] { server.serve(); });
  datagram_socket c = datagram_socket::connect(server.local_address());
  c.send("x");
  EXPECT_TRUE(within_a_minute([&] { return begun; }));
  expect_given_up("join", [&](deadline by) { return server.join(by); });
  EXPECT_FALSE(server.stop(1ms));
  EXPECT_TRUE(was_cancelled);
  serving.get();
}

TEST(datagram_server, a_cancelled_serve_stops_it) {
  echo_server echo;
  EXPECT_TRUE(cancels([&] { echo.server.serve(); }));
  EXPECT_FALSE(echo.server.running());
}

TEST(datagram_server, a_cancelled_stop_has_ended_the_handlers) {
  bool was_cancelled = false;
  datagram_server server(anywhere, [&](std::string_view, const address&) {
    try {
      this_fiber::sleep_for(1h);
    } catch (const cancelled&) {
      was_cancelled = true;
      throw;
    }
  });
  server.start();
  datagram_socket c = datagram_socket::connect(server.local_address());
  c.send("x");
  EXPECT_TRUE(within_a_minute([&] { return server.handling() == 1; }));
  EXPECT_TRUE(cancels([&] { server.join(); })) << "which changes nothing";
  EXPECT_TRUE(server.running());
  EXPECT_FALSE(was_cancelled);
  EXPECT_TRUE(cancels([&] { server.stop(1h); }));
  EXPECT_TRUE(was_cancelled);
  EXPECT_FALSE(server.running());
  EXPECT_EQ(failure([&] { server.send_to("x", c.local_address()); }), std::error_code(EBADF, std::system_category()))
      << "the socket is closed too";
}

TEST(datagram_server, serve_says_that_its_time_is_over_and_goes_on) {
  echo_server echo;
  EXPECT_FALSE(echo.server.serve(1ms));
  datagram_socket c = datagram_socket::connect(echo.server.local_address());
  EXPECT_EQ(ask(c, "still"), "still");
  EXPECT_TRUE(echo.server.stop(1min));
  EXPECT_TRUE(echo.server.serve(1min));
}

TEST(datagram_server, a_socket_may_be_taken_over) {
  datagram_socket own = datagram_socket::bind(address::abstract("weft datagrams " + std::to_string(getpid())));
  const address at = own.local_address();
  std::string got;
  datagram_server server(std::move(own), [&](std::string_view m, const address&) { got = m; });
  server.start();
  datagram_socket::connect(at).send("unix");
  EXPECT_TRUE(within_a_minute([&] { return got == "unix"; }));
}

TEST(datagram_server, several_hubs_share_a_port) {
  const other_hubs others(2);
  std::set<core::hub*> wanted;  // two, unless the threads are fibers of a few hubs: under the patch
  for (const hub h : others.hubs) wanted.insert(h.get());
  std::mutex lock;
  std::set<core::hub*> serving;
  datagram_server server(anywhere,
                         [&](std::string_view m, const address& from) {
                           {
                             const std::lock_guard guard(lock);
                             serving.insert(hub::current().get());
                           }
                           server.send_to(m, from);
                         },
                         {.hubs = others.hubs});
  server.start();
  // The kernel chooses by the sender's port.
  const auto all_have_served = [&] {
    datagram_socket c = datagram_socket::connect(server.local_address());
    EXPECT_EQ(ask(c, "hello"), "hello");
    const std::lock_guard guard(lock);
    return serving == wanted;
  };
  EXPECT_TRUE(within_a_minute(all_have_served));
  EXPECT_TRUE(server.stop(60s));
}

}  // namespace
}  // namespace weft
