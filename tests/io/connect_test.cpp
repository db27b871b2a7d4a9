// SPDX-License-Identifier: MIT
#include "weft/connect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/io_error.hpp"
#include "weft/listener.hpp"
#include "weft/resolver.hpp"
#include "weft/test_clock.hpp"
#include "weft/unique_fd.hpp"

namespace weft {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::error_code refused(ECONNREFUSED, std::system_category());
const connect_options patient{.attempt_delay = 1h};

struct fixed_names final : name_service {
  explicit fixed_names(name_answer a) : answer(std::move(a)) {}
  void find_addresses(const name_query&, receiver done) override { done(answer); }
  void find_name(const address&, receiver done) override { done({.error = resolve_errc::name_not_known}); }
  const name_answer answer;
};

/// Answers nobody, ever.
struct mute_names final : name_service {
  void find_addresses(const name_query&, receiver done) override { asked.push_back(std::move(done)); }
  void find_name(const address&, receiver done) override { asked.push_back(std::move(done)); }
  std::vector<receiver> asked;
};

/// An address at which nobody answers: the listener's queue is full, and the kernel drops who comes then.
class silent {
 public:
  silent() : door_(address::loopback(AF_INET, 0), {.backlog = 0}) {
    for (int i = 0; i < 3; ++i) {
      unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const address to = at();
      EXPECT_LE(::connect(fd.get(), to.data(), to.size()), 0);  // begun, or done
      waiting_.push_back(std::move(fd));
    }
    EXPECT_TRUE(door_.wait_readable(60s)) << "the one that the queue has room for";
  }
  address at() const { return door_.local_address(); }

 private:
  listener door_;
  std::vector<unique_fd> waiting_;
};

/// An address that refuses: somebody has it, and does not listen.
struct refusing {
  explicit refusing(const address& want = address::loopback(AF_INET, 0))
      : fd(::socket(want.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(::bind(fd.get(), want.data(), want.size()), 0);
    address_room room;
    EXPECT_EQ(::getsockname(fd.get(), room.data(), room.size()), 0);
    at = room.get();
  }
  unique_fd fd;
  address at;
};

std::vector<address> tried(const connect_error& error) {
  std::vector<address> addresses;
  for (const connect_failure& f : error.failures()) addresses.push_back(f.to);
  return addresses;
}

TEST(connect, reaches_a_host_by_its_name) {
  listener door(address::loopback(AF_INET, 0));
  stream_socket s = connect("localhost", door.local_address().port(), 60s);
  EXPECT_EQ(s.remote_address(), door.local_address());
  EXPECT_TRUE(s.get(socket_options::no_delay));
  stream_socket peer = door.accept();
  s.write_all("x");
  char room[1];
  EXPECT_EQ(peer.read_some(room), 1U);
}

TEST(connect, a_refusal_lets_the_next_begin_at_once) {
  const refusing first, second;
  listener door(address::loopback(AF_INET, 0));
  const address to[] = {first.at, second.at, door.local_address()};
  EXPECT_EQ(connect(to, patient).remote_address(), door.local_address());
}

TEST(connect, silence_lets_the_next_begin_beside_it) {
  const silent first, second;
  listener door(address::loopback(AF_INET, 0));
  const address to[] = {first.at(), second.at(), door.local_address()};
  const auto before = open_files();
  {
    const stream_socket s = connect(to, {.attempt_delay = 1ms});
    EXPECT_EQ(s.remote_address(), door.local_address());
    EXPECT_EQ(open_files().size(), before.size() + 1) << "the losers are closed";
  }
  EXPECT_EQ(open_files(), before);
}

TEST(connect, the_earlier_one_may_win_when_the_later_fails) {
  // The first is taken from the queue while the second is refused.
  listener door(address::loopback(AF_INET, 0), {.backlog = 0});
  const refusing second;
  const address to[] = {door.local_address(), second.at};
  EXPECT_EQ(connect(to, {.attempt_delay = 0ns}).remote_address(), door.local_address());
}

TEST(connect, the_deadline_holds_for_all_attempts_together) {
  const silent nobody;
  const refusing no(address::abstract("weft connect " + std::to_string(getpid())));  // such a one refuses at once
  const address to[] = {no.at, nobody.at(), nobody.at(), nobody.at()};
  const auto before = open_files();
  WEFT_TEST_CLOCK(clock);
  try {
    connect(to, {.attempt_delay = 1min}, 10min);
    FAIL();
  } catch (const connect_error& error) {
    EXPECT_EQ(error.code(), io_errc::timed_out);
    EXPECT_THAT(tried(error), ElementsAre(no.at));
    EXPECT_EQ(error.what(), "weft: connect: " + no.at.to_string() + ": Connection refused: deadline passed");
  }
  EXPECT_EQ(clock.elapsed(), 10min);
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(failure([&] { connect(std::span(to).subspan(1), patient, deadline::from_ns(1)); }), io_errc::timed_out);
}

TEST(connect, a_passed_deadline_still_allows_what_needs_no_wait) {
  listener door(address::abstract("weft connect " + std::to_string(getpid())));
  const address to[] = {door.local_address()};
  EXPECT_TRUE(connect(to, {}, deadline::from_ns(1)).is_open());
}

TEST(connect, can_be_cancelled) {
  const silent nobody;
  const address to[] = {nobody.at(), nobody.at()};
  const auto before = open_files();
  EXPECT_TRUE(cancels([&] { connect(to, {.attempt_delay = 0ns}); }));
  EXPECT_TRUE(cancels([&] { connect(to, patient); }));
  EXPECT_EQ(open_files(), before);
}

TEST(connect, can_be_cancelled_while_the_name_is_looked_up) {
  const auto service = std::make_shared<mute_names>();
  resolver names(service);
  const auto before = open_files();
  EXPECT_TRUE(cancels([&] { connect("slow.example", 80, {.names = &names}); }));
  EXPECT_EQ(service->asked.size(), 1u);
  EXPECT_EQ(open_files(), before);
  service->asked.clear();  // they and the service would keep each other alive
}

TEST(connect, all_failures_can_be_seen) {
  const refusing a, b;
  const address to[] = {a.at, b.at};
  try {
    connect(to, patient);
    FAIL();
  } catch (const connect_error& error) {
    EXPECT_EQ(error.code(), refused);
    EXPECT_THAT(tried(error), ElementsAre(a.at, b.at));
    EXPECT_EQ(error.failures()[1].error, refused);
    EXPECT_EQ(error.what(), "weft: connect: " + a.at.to_string() + ": Connection refused, " + b.at.to_string() +
                                ": Connection refused");
  }
}

TEST(connect, the_families_take_turns) {
  const refusing port(address::any(AF_INET, 0));
  const auto ip = [&](const char* text) { return address::ip(text, port.at.port()); };
  resolver names(std::make_shared<fixed_names>(
      name_answer{.addresses = {ip("127.0.0.1"), ip("127.0.0.2"), ip("127.0.0.3"), ip("::1")}}));
  try {
    connect("some.example", port.at.port(), {.attempt_delay = 1h, .names = &names});
    FAIL();
  } catch (const connect_error& error) {
    EXPECT_THAT(tried(error), ElementsAre(ip("127.0.0.1"), ip("::1"), ip("127.0.0.2"), ip("127.0.0.3")));
  }
}

TEST(connect, a_local_address_chooses_the_family) {
  listener door(address::loopback(AF_INET, 0));
  const std::uint16_t port = door.local_address().port();
  resolver names(
      std::make_shared<fixed_names>(name_answer{.addresses = {address::ip("::1", 0), address::ip("127.0.0.1", 0)}}));
  const address from = address::ip("127.0.0.5", 0);
  const stream_socket s = connect("some.example", port, {.attempt_delay = 1h, .from = from, .names = &names});
  EXPECT_EQ(s.local_address().ip(), "127.0.0.5");
  const connect_options elsewhere{.from = address::ip("192.0.2.1", 0), .names = &names};
  EXPECT_EQ(failure([&] { connect("some.example", port, elsewhere); }),
            std::error_code(EADDRNOTAVAIL, std::system_category()));
}

TEST(connect, no_address_is_an_error) {
  EXPECT_EQ(failure([&] { connect(std::span<const address>()); }),
            std::error_code(EADDRNOTAVAIL, std::system_category()));
  const address nobody[] = {address()};
  EXPECT_EQ(failure([&] { connect(nobody); }), std::error_code(EAFNOSUPPORT, std::system_category()));
}

TEST(connect, what_none_can_mean_is_an_error) {
  EXPECT_NE(failure([] { connect("", 80); }), std::error_code());
  EXPECT_NE(failure([] { connect(std::string_view("local\0host", 10), 80); }), std::error_code());
  EXPECT_NE(failure([] { connect("127.0.0.1", 0); }), std::error_code());
  const refusing no;
  const address to[] = {no.at};
  const connect_options of_none{.from = address()}, of_another_family{.from = address::ip("::1", 0)};
  EXPECT_NE(failure([&] { connect(to, of_none); }), std::error_code());
  EXPECT_NE(failure([&] { connect(to, of_another_family); }), std::error_code());
  EXPECT_EQ(failure([&] { connect("127.0.0.1", 1, of_another_family); }),
            std::error_code(EADDRNOTAVAIL, std::system_category()));
  EXPECT_EQ(failure([&] { connect(to, {.attempt_delay = -1h}); }), refused);
}

TEST(connect, the_resolvers_errors_come_as_they_are) {
  resolver none(std::make_shared<fixed_names>(name_answer{.error = resolve_errc::name_not_known}));
  EXPECT_EQ(failure([&] { connect("no.example", 80, {.names = &none}); }), resolve_errc::name_not_known);
}

TEST(connect, the_twin_returns_a_closed_socket) {
  const refusing no;
  std::error_code ec;
  EXPECT_FALSE(connect("127.0.0.1", no.at.port(), ec).is_open());
  EXPECT_EQ(ec, refused);
  listener door(address::loopback(AF_INET, 0));
  EXPECT_TRUE(connect("127.0.0.1", door.local_address().port(), ec).is_open());
  EXPECT_EQ(ec, std::error_code());
}

TEST(connect, a_thread_without_a_hub_may_connect) {
  const silent nobody;
  listener door(address::loopback(AF_INET, 0));
  const address to[] = {nobody.at(), door.local_address()};
  std::thread([&] { EXPECT_EQ(connect(to, {.attempt_delay = 1ms}).remote_address(), door.local_address()); }).join();
}

}  // namespace
}  // namespace weft
