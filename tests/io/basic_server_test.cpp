// SPDX-License-Identifier: MIT
// How servers of both kinds end softly: what handlers are given to see it coming.
#include "weft/basic_server.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>

#include "tests/io/support.hpp"
#include "weft/cancel_on_stop.hpp"
#include "weft/datagram_server.hpp"
#include "weft/event.hpp"
#include "weft/stream_server.hpp"

namespace weft {
namespace {

using namespace test;

static_assert(!std::is_constructible_v<basic_server>);
static_assert(!std::is_copy_constructible_v<stream_server> && !std::is_copy_constructible_v<datagram_server>);
static_assert(std::is_nothrow_move_constructible_v<stream_server> &&
              std::is_nothrow_move_assignable_v<datagram_server>);

const address anywhere = address::loopback(AF_INET, 0);

std::string heard_by_client_of(stream_server& server) {
  server.start();
  stream_socket c = stream_socket::connect(server.local_address());
  std::string all;
  char room[64];
  while (const std::size_t n = c.read_some(room, 60s)) all.append(room, n);
  return all;
}

TEST(basic_server, a_connections_handler_takes_a_stop_token_if_it_wants) {
  const auto tell = [](stream_socket& s, const std::stop_token& stop, const char* form) {
    s.write_all(std::string(form) + (stop.stop_possible() && !stop.stop_requested() ? " with" : " without"));
  };
  stream_server plain(anywhere, [&](stream_socket s) { tell(s, {}, "socket"); });
  EXPECT_EQ(heard_by_client_of(plain), "socket without");
  stream_server token(anywhere, [&](const std::stop_token& stop, stream_socket s) { tell(s, stop, "token"); });
  EXPECT_EQ(heard_by_client_of(token), "token with");
  address seen;
  stream_server all(anywhere, [&](const std::stop_token& stop, stream_socket s, const address& from) {
    seen = from;
    tell(s, stop, "all");
  });
  EXPECT_EQ(heard_by_client_of(all), "all with");
  EXPECT_EQ(seen.to_string().substr(0, 10), "127.0.0.1:");
  stream_server generic(anywhere, [&](auto s, const auto& from) {
    static_assert(std::is_same_v<const address&, decltype(from)>);
    tell(s, {}, "generic");
  });
  EXPECT_EQ(heard_by_client_of(generic), "generic without");
}

// Answers each byte, and leaves only while it waits for one.
void answer_bytes(const std::stop_token& stop, stream_socket s) {
  char room[1];
  for (;;) {
    {
      const cancel_on_stop idle(stop);
      if (s.read_some(room) == 0) return;
    }
    this_fiber::yield();  // the work
    s.write_all(room);
  }
}

TEST(basic_server, an_idle_connection_ends_in_the_time_of_grace) {
  stream_server server(anywhere, answer_bytes);
  server.start();
  stream_socket idle = stream_socket::connect(server.local_address());
  stream_socket silent = stream_socket::connect(server.local_address());
  char room[1];
  idle.write_all("x");
  idle.read_exactly(room, 60s);
  ASSERT_TRUE(within_a_minute([&] { return server.connections() == 2; }));
  EXPECT_TRUE(server.stop(1min)) << "all ended by themselves";
  EXPECT_EQ(idle.read_some(room, 60s), 0U);
  EXPECT_EQ(silent.read_some(room, 60s), 0U);
}

TEST(basic_server, a_request_that_has_begun_is_answered) {
  event begun, may_go_on;
  stream_server server(anywhere, [&](const std::stop_token& stop, stream_socket s) {
    char room[1];
    for (;;) {
      {
        const cancel_on_stop idle(stop);
        s.read_exactly(room);
      }
      begun.set();
      may_go_on.wait();
      s.write_all(room);
    }
  });
  server.start();
  stream_socket c = stream_socket::connect(server.local_address());
  c.write_all("x");
  ASSERT_TRUE(begun.wait(1min));
  const task<bool> stopping = spawn([&] { return server.stop(1min); });
  ASSERT_TRUE(within_a_minute([&] { return server.stop_token().stop_requested(); }));
  may_go_on.set();
  char room[1];
  c.read_exactly(room, 60s);
  EXPECT_EQ(c.read_some(room, 60s), 0U) << "and no other is waited for";
  EXPECT_TRUE(stopping.get());
}

TEST(basic_server, a_messages_handler_takes_a_stop_token_if_it_wants) {
  event stopped;
  bool begun = false;
  datagram_server server(anywhere, [&](const std::stop_token& stop, std::string_view, const address&) {
    const std::stop_callback tell(stop, [&] { stopped.set(); });
    begun = true;
    stopped.wait();
  });
  server.start();
  datagram_socket::connect(server.local_address()).send("x");
  ASSERT_TRUE(within_a_minute([&] { return begun; }));
  EXPECT_TRUE(server.stop(1min));
  const datagram_server adopting(datagram_socket::bind(anywhere),
                                 [](const std::stop_token&, std::string_view, const address&) {});
  using handler = std::function<void(std::stop_token, std::string_view, const address&)>;
  EXPECT_THROW(datagram_server(anywhere, handler()), std::invalid_argument);
}

TEST(basic_server, what_is_closed_already_ends_it_with_the_error) {
  listener closed(anywhere);
  closed.close();
  stream_server streams(std::move(closed), [](stream_socket) {});
  EXPECT_EQ(failure([&] { streams.serve(1min); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(failure([&] { (void)streams.local_address(); }), std::errc::bad_file_descriptor);
  datagram_server messages(datagram_socket(), [](std::string_view, const address&) {});
  EXPECT_EQ(failure([&] { messages.serve(1min); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(failure([&] { messages.send_to("x", anywhere); }), std::errc::bad_file_descriptor);
}

}  // namespace
}  // namespace weft
