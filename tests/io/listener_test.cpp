// SPDX-License-Identifier: MIT
#include "weft/listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "tests/io/support.hpp"

namespace weft {
namespace {

using namespace test;

std::string temporary_path(const char* name) {
  return testing::TempDir() + "weft_" + std::to_string(getpid()) + "_" + name;
}

TEST(listener, a_connection_knows_both_its_ends) {
  for (const address& at : {address::loopback(AF_INET, 0), address::loopback(AF_INET6, 0)}) {
    std::error_code none;
    listener l;
    try {
      l = listener(at);
    } catch (const std::system_error& error) {
      if (error.code() == std::errc::address_not_available) continue;  // a machine without IPv6
      throw;
    }
    const address to = l.local_address();
    EXPECT_NE(to.port(), 0);
    stream_socket client = stream_socket::connect(to);
    address from;
    stream_socket server = l.accept(from);
    EXPECT_EQ(from, client.local_address());
    EXPECT_EQ(server.remote_address(), client.local_address());
    EXPECT_EQ(client.remote_address(), to);
    EXPECT_TRUE(client.get(socket_options::no_delay));
    EXPECT_TRUE(server.get(socket_options::no_delay)) << "inherited from the listener";
    client.write_all("x");
    char room[1];
    EXPECT_EQ(server.read_some(room), 1U);
  }
}

TEST(listener, unix_sockets_by_path_and_by_abstract_name) {
  const std::string path = temporary_path("socket");
  for (const address& at : {address::unix_path(path), address::abstract("weft test " + std::to_string(getpid()))}) {
    listener l(at);
    EXPECT_EQ(l.local_address(), at);
    stream_socket client = stream_socket::connect(at);
    stream_socket server = l.accept();
    EXPECT_EQ(server.remote_address().to_string(), "unix:");
    EXPECT_EQ(server.get(socket_options::peer_credentials).pid, getpid());
    if (at.is_abstract()) continue;
    EXPECT_EQ(failure([&] { listener second(at); }), std::errc::address_in_use);
    l.close();
    EXPECT_EQ(failure([&] { listener second(at, {.replace_unix_path = false}); }), std::errc::address_in_use);
    listener second(at);
    EXPECT_TRUE(stream_socket::connect(at).is_open()) << "an abandoned one is replaced";
  }
  unlink(path.c_str());
  // What is no socket stays.
  ASSERT_EQ(close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
  EXPECT_EQ(failure([&] { listener l(address::unix_path(path)); }), std::errc::address_in_use);
  EXPECT_EQ(unlink(path.c_str()), 0);
}

TEST(listener, a_connect_that_is_refused_says_where) {
  listener l(address::loopback(AF_INET, 0));
  const address nobody = l.local_address();
  l.close();
  try {
    stream_socket::connect(nobody);
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::connection_refused);
    EXPECT_NE(std::string(error.what()).find(nobody.to_string()), std::string::npos);
  }
  std::error_code ec;
  EXPECT_FALSE(stream_socket::connect(nobody, ec));
  EXPECT_EQ(ec, std::errc::connection_refused);
  EXPECT_EQ(failure([] { stream_socket::connect(address::unix_path("/nowhere")); }),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(failure([] { stream_socket::connect(address()); }), std::errc::address_family_not_supported);
}

// A listener whose queue is full lets connects hang until they are taken or give up.
struct full_listener : testing::TestWithParam<const char*> {
  listener door{address::parse(GetParam()), {.backlog = 0}};
  address at = door.local_address();
  stream_socket inside = stream_socket::connect(at, 60s);
  full_listener() { EXPECT_TRUE(door.wait_readable(60s)) << "the one that the queue has room for"; }
};

TEST_P(full_listener, a_connect_keeps_its_deadline) {
  EXPECT_EQ(failure([this] { stream_socket::connect(at, 5ms); }), io_errc::timed_out);
}

TEST_P(full_listener, a_connect_can_be_cancelled) {
  EXPECT_TRUE(cancels([this] { stream_socket::connect(at); }));
}

TEST_P(full_listener, a_connect_waits_for_room) {
  const fiber client = spawn([this] { EXPECT_TRUE(stream_socket::connect(at).is_open()); });
  settle();
  EXPECT_TRUE(door.accept(60s).is_open());
  const fiber acceptor = spawn([this] {
    std::error_code ec;
    while (!ec) door.accept(nullptr, ec);
  });
  client.join();
  door.close();
  acceptor.join();
}

INSTANTIATE_TEST_SUITE_P(, full_listener, testing::Values("127.0.0.1:0", "unix:@weft full listener"));

TEST(listener, every_connection_wakes_one_acceptor) {
  listener l(address::loopback(AF_INET, 0));
  constexpr int count = 40;
  int taken = 0;
  std::vector<fiber> acceptors;
  for (int i = 0; i < count; ++i) {
    acceptors.push_back(spawn([&] {
      EXPECT_TRUE(l.accept().is_open());
      ++taken;
    }));
  }
  settle();
  std::vector<stream_socket> clients;
  for (int i = 0; i < count; ++i) clients.push_back(stream_socket::connect(l.local_address()));
  for (const fiber& f : acceptors) f.join();
  EXPECT_EQ(taken, count);
}

TEST(listener, a_cancelled_accept_takes_no_connection) {
  listener l(address::loopback(AF_INET, 0));
  EXPECT_TRUE(cancels([&] { l.accept(); }));
  stream_socket client = stream_socket::connect(l.local_address());
  EXPECT_TRUE(l.accept(60s).is_open());
}

TEST(listener, no_descriptors_left_is_told_and_the_connection_waits) {
  listener l(address::loopback(AF_INET, 0));
  stream_socket client = stream_socket::connect(l.local_address());
  ASSERT_TRUE(l.wait_readable(60s));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const unique_fd last(dup(0));
  const rlimit none{static_cast<rlim_t>(last.get()) + 1, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::error_code ec;
  EXPECT_FALSE(l.accept(nullptr, ec));
  EXPECT_EQ(ec, std::errc::too_many_files_open);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(l.accept(60s).is_open());
}

TEST(listener, what_is_taken_over_must_listen) {
  listener l(address::loopback(AF_INET, 0));
  listener again(l.release());
  EXPECT_TRUE(again.is_open());
  auto [a, b] = stream_socket::pair();
  EXPECT_EQ(failure([&a = a] { listener no(a.native_handle()); }), std::errc::invalid_argument);
  EXPECT_TRUE(a.is_open());
}

TEST(listener, ports_are_shared_on_request) {
  listener first(address::loopback(AF_INET, 0), {.reuse_port = true});
  listener second(first.local_address(), {.reuse_port = true});
  EXPECT_EQ(failure([&] { listener third(first.local_address()); }), std::errc::address_in_use);
}

}  // namespace
}  // namespace weft
