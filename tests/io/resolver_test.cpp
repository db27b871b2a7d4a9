// SPDX-License-Identifier: MIT
// gevent's own cases for its resolvers are among these: the same name asked at once, numeric hosts, errors as socket.gaierror.
#include "weft/resolver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/io/support.hpp"
#include "weft/event.hpp"
#include "weft/io_error.hpp"

namespace weft {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

/// Answers when the test says so.
struct scripted_names final : name_service {
  void find_addresses(const name_query& query, receiver done) override {
    if (failure) std::rethrow_exception(failure);
    asked.push_back(query.host);
    open.push_back(std::move(done));
  }
  void find_name(const address& of, receiver done) override {
    asked.push_back(of.to_string());
    open.push_back(std::move(done));
  }
  void answer(const name_answer& a) {
    std::vector<receiver> now;
    now.swap(open);
    for (const receiver& done : now) done(a);
  }
  std::vector<std::string> asked;
  std::vector<receiver> open;
  std::exception_ptr failure;
};

struct resolving : testing::Test {
  // Asks, and has it answered with @p a as soon as the service knows of it.
  std::error_code ask(const char* host, const name_answer& a) {
    auto answering = spawn([&, before = names->asked.size()] {
      settle();
      if (names->asked.size() > before) names->answer(a);
    });
    std::error_code ec;
    found = names_of.resolve(host, 80, ec);
    answering.join();
    return ec;
  }
  std::vector<std::jthread> threads;
  const address one = address::ip("192.0.2.1", 0);
  const address two = address::ip("2001:db8::2", 0);
  std::shared_ptr<scripted_names> names = std::make_shared<scripted_names>();
  resolver names_of{names};
  std::vector<address> found;
};

TEST_F(resolving, a_name_has_the_addresses_of_the_service_with_the_port) {
  EXPECT_EQ(ask("example.org", {.addresses = {one, two}}), std::error_code());
  EXPECT_THAT(found, ElementsAre(one.with_port(80), two.with_port(80)));
  EXPECT_THAT(names->asked, ElementsAre("example.org"));
}

TEST(resolver, needs_a_service) { EXPECT_THROW(resolver(nullptr), std::invalid_argument); }

TEST_F(resolving, numeric_addresses_ask_nobody) {
  EXPECT_THAT(names_of.resolve("192.0.2.1", 7), ElementsAre(one.with_port(7)));
  EXPECT_THAT(names_of.resolve("2001:db8::2", 7), ElementsAre(two.with_port(7)));
  EXPECT_TRUE(names->asked.empty());
}

TEST_F(resolving, the_same_question_at_the_same_time_is_asked_once) {
  int answered = 0;
  const auto look = [&](const char* host) {
    return [&, host] { answered += names_of.resolve(host, 1).front() == one.with_port(1) ? 1 : 0; };
  };
  auto a = spawn(look("a.example")), b = spawn(look("a.example")), c = spawn(look("c.example"));
  settle();
  EXPECT_THAT(names->asked, UnorderedElementsAre("a.example", "c.example"));
  names->answer({.addresses = {one}});
  a.join();
  b.join();
  c.join();
  EXPECT_EQ(answered, 3);
  EXPECT_EQ(ask("a.example", {.addresses = {two}}), std::error_code());
  EXPECT_EQ(names->asked.size(), 3U) << "nothing is kept unless it is asked for";
}

TEST_F(resolving, failures_are_codes_of_getaddrinfo) {
  EXPECT_EQ(ask("none.example", {.error = resolve_errc::name_not_known}), resolve_errc::name_not_known);
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(std::error_code(resolve_errc::name_not_known).value(), EAI_NONAME);
  EXPECT_EQ(std::error_code(resolve_errc::try_again).message(), gai_strerror(EAI_AGAIN));
  auto answering = spawn([&] {
    settle();
    names->answer({.error = resolve_errc::try_again});
  });
  EXPECT_EQ(failure([&] { names_of.resolve("busy.example", 80); }), resolve_errc::try_again);
  answering.join();
}

TEST_F(resolving, a_name_with_a_zero_byte_is_not_known) {
  EXPECT_EQ(failure([&] { names_of.resolve(std::string_view("example.org\0.evil", 17), 80); }),
            resolve_errc::name_not_known);
  EXPECT_TRUE(names->asked.empty());
}

TEST_F(resolving, a_late_answer_is_dropped_by_who_gave_up_and_serves_the_others) {
  resolver keeping{names, {.keep = 1h}};
  EXPECT_EQ(failure([&] { keeping.resolve("slow.example", 80, 1ms); }), io_errc::timed_out);
  auto patient = spawn([&] { found = keeping.resolve("slow.example", 80); });
  settle();
  EXPECT_EQ(names->asked.size(), 1U) << "the question is still on its way";
  names->answer({.addresses = {one}});
  patient.join();
  EXPECT_THAT(found, ElementsAre(one.with_port(80)));
  EXPECT_THAT(keeping.resolve("slow.example", 81), ElementsAre(one.with_port(81))) << "kept";
}

TEST_F(resolving, can_be_cancelled) {
  EXPECT_TRUE(cancels([&] { names_of.resolve("slow.example", 80); }));
  EXPECT_TRUE(cancels([&] { names_of.name_of(one); }));
  names->answer({.addresses = {one}});
}

TEST_F(resolving, answers_are_kept_no_longer_than_asked_and_than_the_service_says) {
  resolver keeping{names, {.keep = 1h, .keep_failures = 1h, .most_kept = 2}};
  const auto look = [&](const char* host, name_answer a) {
    auto answering = spawn([&] {
      settle();
      names->answer(a);
    });
    std::error_code ec;
    keeping.resolve(host, 1, ec);
    answering.join();
    return ec;
  };
  look("a", {.addresses = {one}});
  look("a", {.addresses = {two}});
  EXPECT_THAT(names->asked, ElementsAre("a"));
  look("b", {.addresses = {one}, .ttl = 0s});
  look("b", {.addresses = {one}, .ttl = 0s});
  EXPECT_THAT(names->asked, ElementsAre("a", "b", "b"));
  EXPECT_EQ(look("c", {.error = resolve_errc::name_not_known}), resolve_errc::name_not_known);
  EXPECT_EQ(look("c", {.addresses = {one}}), resolve_errc::name_not_known);
  EXPECT_EQ(names->asked.size(), 4U);
  EXPECT_EQ(look("d", {.error = resolve_errc::try_again}), resolve_errc::try_again);
  EXPECT_EQ(look("d", {.addresses = {one}}), std::error_code()) << "what went wrong is asked again";
  EXPECT_EQ(names->asked.size(), 6U);
  look("a", {.addresses = {one}});
  EXPECT_EQ(names->asked.size(), 7U) << "two others are newer";
  keeping.forget();
  look("a", {.addresses = {one}});
  EXPECT_EQ(names->asked.size(), 8U);

  resolver forgetful{names, {.keep = 1ns}};
  for (int i = 0; i < 2; ++i) {
    auto answering = spawn([&] {
      settle();
      names->answer({.addresses = {one}});
    });
    forgetful.resolve("a", 1);
    answering.join();
  }
  EXPECT_EQ(names->asked.size(), 10U);
}

TEST_F(resolving, an_address_has_a_name) {
  auto answering = spawn([&] {
    settle();
    names->answer({.name = "one.example"});
  });
  EXPECT_EQ(names_of.name_of(one.with_port(80)), "one.example");
  answering.join();
  EXPECT_THAT(names->asked, ElementsAre("192.0.2.1:0"));
  EXPECT_EQ(failure([&] { names_of.name_of(address::abstract("x")); }), resolve_errc::family_not_supported);
}

TEST_F(resolving, a_service_that_forgets_a_question_has_failed) {
  auto forgetting = spawn([&] {
    settle();
    names->open.clear();
  });
  EXPECT_EQ(failure([&] { names_of.resolve("lost.example", 80); }), resolve_errc::failed);
  forgetting.join();
}

TEST_F(resolving, a_second_answer_is_ignored) {
  name_service::receiver again;
  auto answering = spawn([&] {
    settle();
    again = names->open.front();
    names->answer({.addresses = {one}});
    again({.addresses = {two}});
  });
  EXPECT_THAT(names_of.resolve("twice.example", 1), ElementsAre(one.with_port(1)));
  answering.join();
}

TEST_F(resolving, what_a_service_throws_reaches_who_asked) {
  names->failure = std::make_exception_ptr(std::system_error(EMFILE, std::system_category()));
  EXPECT_EQ(failure([&] { names_of.resolve("x.example", 1); }), std::error_code(EMFILE, std::system_category()));
  names->failure = std::make_exception_ptr(std::logic_error("broken"));
  EXPECT_THROW(names_of.resolve("x.example", 1), std::logic_error);
  names->failure = nullptr;
  EXPECT_EQ(ask("x.example", {.addresses = {one}}), std::error_code()) << "and holds up nobody";
}

/// Answers from a thread of its own.
struct threaded_names final : name_service {
  threaded_names(name_answer a, std::vector<std::jthread>& in) : answer(std::move(a)), threads(in) {}
  void find_addresses(const name_query&, receiver done) override {
    threads.emplace_back([this, done = std::move(done)] {
      may_answer.wait();
      done(answer);
    });
  }
  void find_name(const address&, receiver) override {}
  const name_answer answer;
  event may_answer;
  std::vector<std::jthread>& threads;
};

TEST_F(resolving, an_answer_may_come_from_a_thread_and_outlive_the_resolver) {
  const auto service = std::make_shared<threaded_names>(name_answer{.addresses = {one}}, threads);
  auto other = std::make_unique<resolver>(service);
  EXPECT_EQ(failure([&] { other->resolve("late.example", 1, 1ms); }), io_errc::timed_out);
  other.reset();
  service->may_answer.set();
  EXPECT_THAT(resolver(service).resolve("thread.example", 1), ElementsAre(one.with_port(1)));
}

TEST_F(resolving, a_thread_without_a_hub_may_ask) {
  const auto service = std::make_shared<threaded_names>(name_answer{.addresses = {one}}, threads);
  service->may_answer.set();
  std::thread([&] {
    EXPECT_THAT(resolver(service).resolve("thread.example", 1), ElementsAre(one.with_port(1)));
  }).join();
}

TEST_F(resolving, a_forks_child_asks_anew) {
  EXPECT_EQ(failure([&] { names_of.resolve("slow.example", 1, 1ms); }), io_errc::timed_out);
  const pid_t child = fork();
  if (child == 0) _exit(ask("slow.example", {.addresses = {two}}) || found.front() != two.with_port(80) ? 1 : 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  names->answer({.addresses = {one}});
}

TEST(system_names, this_machine_is_known) {
  resolver& names = default_resolver();
  for (const address& a : names.resolve("localhost", 7)) EXPECT_TRUE(a.is_loopback() && a.port() == 7) << a.to_string();
  const name_answer here = names.resolve(name_query{.service = "7", .family = AF_INET, .flags = AI_PASSIVE});
  EXPECT_THAT(here.addresses, ElementsAre(address::any(AF_INET, 7)));
  EXPECT_THAT(names.resolve(name_query{.family = AF_INET6}).addresses, ElementsAre(address::loopback(AF_INET6, 0)));
  EXPECT_EQ(names.resolve(name_query{.host = "127.0.0.1", .flags = AI_CANONNAME}).name, "127.0.0.1");
  EXPECT_FALSE(names.name_of(address::loopback(AF_INET, 80)).empty());
}

TEST(system_names, failures_are_those_of_libc) {
  resolver& names = default_resolver();
  const auto code = [&](const name_query& q) { return failure([&] { names.resolve(q); }); };
  EXPECT_EQ(code({.host = "no.number", .flags = AI_NUMERICHOST}), resolve_errc::name_not_known);
  EXPECT_EQ(code({.host = "127.0.0.1", .family = AF_UNIX}), resolve_errc::family_not_supported);
  EXPECT_EQ(code({.host = "127.0.0.1", .flags = -1}), resolve_errc::bad_flags);
}

TEST(system_names, many_ask_at_once_from_several_threads) {
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([] {
      std::vector<fiber> fibers;
      fibers.reserve(20);
      for (int i = 0; i < 20; ++i) {
        fibers.push_back(spawn([i] {
          const address own = address::ip("127.0.0." + std::to_string(i % 7 + 1), 0);
          EXPECT_THAT(default_resolver().resolve(name_query{.host = own.ip()}).addresses, ElementsAre(own));
        }));
      }
      for (auto& f : fibers) f.join();
    });
  }
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace weft
