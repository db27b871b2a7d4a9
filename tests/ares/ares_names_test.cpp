// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/ares/dns_server.hpp"
#include "tests/io/support.hpp"
#include "weft/ares.hpp"
#include "weft/io_error.hpp"
#include "weft/resolver.hpp"

namespace weft {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

struct ares : testing::Test {
  ares() {
    server.records = {{"both.example", {dns_server::a, 300, dns_server::of(four)}},
                      {"both.example", {dns_server::aaaa, 60, dns_server::of(six)}},
                      {"four.example", {dns_server::a, 0, dns_server::of(four)}},
                      {"alias.example", {dns_server::cname, 60, dns_server::name_of("four.example")}},
                      {"1.2.0.192.in-addr.arpa", {dns_server::ptr, 60, dns_server::name_of("four.example")}}};
    server.failing = {{"broken.example", dns_server::server_failure}};
  }
  const address four = address::ip("192.0.2.1", 0);
  const address six = address::ip("2001:db8::1", 0);
  dns_server server;
  const ares_names_options options{.servers = {server.at()}, .timeout = 1min, .tries = 1, .hosts_file = false};
  std::shared_ptr<name_service> service = ares_names(options);
  resolver names{service};
};

TEST_F(ares, asks_the_servers_for_both_families) {
  EXPECT_THAT(names.resolve("both.example", 80, 60s), UnorderedElementsAre(four.with_port(80), six.with_port(80)));
  EXPECT_THAT(names.resolve(name_query{.host = "both.example", .family = AF_INET}, 60s).addresses, ElementsAre(four));
  EXPECT_THAT(names.resolve(name_query{.host = "both.example", .service = "81", .family = AF_INET6}, 60s).addresses,
              ElementsAre(six.with_port(81)));
}

TEST_F(ares, tells_how_long_an_answer_may_be_kept) {
  EXPECT_EQ(names.resolve(name_query{.host = "both.example"}, 60s).ttl, 60s);
  resolver keeping{service, {.keep = 24h}};
  for (const char* name : {"both.example", "both.example", "four.example", "four.example"}) {
    keeping.resolve(name_query{.host = name, .family = AF_INET}, 60s);
  }
  EXPECT_EQ(server.questions(), 2 + 1 + 2);
}

TEST_F(ares, failures_have_the_codes_of_getaddrinfo) {
  const auto code = [&](const name_query& q) { return failure([&] { names.resolve(q, 60s); }); };
  EXPECT_EQ(code({.host = "none.example"}), resolve_errc::name_not_known);
  EXPECT_EQ(code({.host = "four.example", .family = AF_INET6}), resolve_errc::no_address);
  EXPECT_EQ(code({.host = "broken.example"}), resolve_errc::try_again);
  EXPECT_EQ(code({.host = "four.example", .family = AF_UNIX}), resolve_errc::family_not_supported);
  EXPECT_EQ(code({.host = "four.example", .flags = AI_IDN}), resolve_errc::bad_flags);
}

TEST_F(ares, knows_aliases_and_names_of_addresses) {
  EXPECT_EQ(names.resolve(name_query{.host = "both.example", .flags = AI_CANONNAME}, 60s).name, "both.example");
  EXPECT_EQ(names.name_of(four, 60s), "four.example");
  EXPECT_EQ(failure([&] { names.name_of(six, 60s); }), resolve_errc::name_not_known);
}

TEST_F(ares, a_question_without_a_host_is_for_this_machine) {
  EXPECT_THAT(names.resolve(name_query{.service = "7", .family = AF_INET, .flags = AI_PASSIVE}).addresses,
              ElementsAre(address::any(AF_INET, 7)));
  EXPECT_EQ(server.questions(), 0);
}

TEST_F(ares, a_silent_server_is_given_up) {
  const datagram_socket silent = datagram_socket::bind(address::loopback(AF_INET, 0));
  resolver asking{ares_names({.servers = {silent.local_address()}, .timeout = 1ms, .tries = 1})};
  EXPECT_EQ(failure([&] { asking.resolve("both.example", 1); }), resolve_errc::try_again);
}

TEST_F(ares, a_deadline_does_not_wait_for_the_server) {
  const datagram_socket silent = datagram_socket::bind(address::loopback(AF_INET, 0));
  resolver asking{ares_names({.servers = {silent.local_address()}, .timeout = 1h, .tries = 1})};
  EXPECT_EQ(failure([&] { asking.resolve("both.example", 1, 1ms); }), io_errc::timed_out);
  EXPECT_TRUE(cancels([&] { asking.resolve("other.example", 1); }));
}

TEST_F(ares, many_questions_at_once) {
  std::vector<fiber> fibers;
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i) + ".example";
    server.records.insert({name, {dns_server::a, 1, dns_server::of(four)}});
    fibers.push_back(spawn([&, name] {
      answered += names.resolve(name_query{.host = name, .family = AF_INET}, 60s).addresses.size() == 1 ? 1 : 0;
    }));
  }
  for (fiber& f : fibers) f.join();
  EXPECT_EQ(answered, 100);
}

TEST_F(ares, may_go_while_questions_are_on_their_way) {
  auto own = std::make_unique<resolver>(std::exchange(service, nullptr));
  std::error_code ec;
  own->resolve("both.example", 1, ec, deadline::from_ns(1));
  EXPECT_TRUE(!ec || ec == io_errc::timed_out) << ec;
  own.reset();
}

#ifndef __SANITIZE_THREAD__  // which allows no new threads in a child
TEST_F(ares, a_forks_child_has_an_engine_of_its_own) {
  names.resolve("both.example", 80, 60s);
  const pid_t child = fork();
  if (child == 0) {
    dns_server own;
    own.records = server.records;
    resolver asking{ares_names({.servers = {own.at()}, .timeout = 1min, .tries = 1, .hosts_file = false})};
    const bool here = asking.resolve("both.example", 1, 60s).size() == 2;
    std::error_code ec;
    names.resolve("both.example", 1, ec, 60s);  // by a server of the parent's, which may answer
    _exit(here && ec != io_errc::timed_out ? 0 : 1);
  }
  int status = -1;
  EXPECT_TRUE(within_a_minute([&] { return waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_EQ(status, 0);
}
#endif

TEST(ares_names, a_server_must_be_an_ip_address) {
  EXPECT_EQ(failure([] { ares_names({.servers = {address::abstract("x")}}); }), resolve_errc::family_not_supported);
}

TEST(ares_names, the_hosts_file_comes_first) {
  const datagram_socket silent = datagram_socket::bind(address::loopback(AF_INET, 0));
  resolver names{ares_names({.servers = {silent.local_address()}})};
  for (const address& a : names.resolve("localhost", 7, 60s)) EXPECT_TRUE(a.is_loopback());
}

}  // namespace
}  // namespace weft
