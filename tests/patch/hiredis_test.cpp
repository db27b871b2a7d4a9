// SPDX-License-Identifier: MIT
// Debian's hiredis, which blocks its thread for each answer, in many fibers of one OS thread, against Debian's redis-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "weft/patch.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;

using connection = std::unique_ptr<redisContext, void (*)(redisContext*)>;
using reply = std::unique_ptr<redisReply, void (*)(void*)>;

class hiredis : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(weft::patch::all());
    if (access("/usr/bin/redis-server", X_OK) != 0) GTEST_SKIP() << "redis-server is not installed";
    ASSERT_NE(mkdtemp(folder_), nullptr);
    server_.emplace(std::vector<std::string>{"/usr/bin/redis-server", "--port", "0", "--unixsocket", socket(), "--save",
                                             "", "--dir", folder_, "--logfile", "/dev/null"});
    const weft::deadline by = 60s;
    while (connect()->err != 0) {
      ASSERT_LT(weft::deadline(0s).ns(), by.ns());
      usleep(1000);
    }
  }
  void TearDown() override {
    if (!server_) return;
    server_->terminate();
    server_->wait();
    std::filesystem::remove_all(folder_);
  }

  std::string socket() const { return std::string(folder_) + "/redis"; }
  connection connect() const { return {redisConnectUnix(socket().c_str()), redisFree}; }
  template <class... Args>
  static reply ask(const connection& c, const char* format, Args... args) {
    return {static_cast<redisReply*>(redisCommand(c.get(), format, args...)), freeReplyObject};
  }

 private:
  char folder_[32] = "/tmp/weft-redis-XXXXXX";
  std::optional<weft::process> server_;
};

TEST_F(hiredis, blocking_pops_of_many_fibers_wait_at_once) {
  constexpr int count = 50;
  std::vector<weft::task<std::string>> pops;
  for (int i = 0; i < count; ++i) {
    pops.push_back(weft::spawn([this, i] {
      const connection c = connect();
      const reply r = ask(c, "BLPOP list:%d 0", i);
      return r != nullptr && r->type == REDIS_REPLY_ARRAY ? std::string(r->element[1]->str) : "none";
    }));
  }
  // Against the order in which they wait.
  const connection c = connect();
  for (int i = count; i-- > 0;) ask(c, "RPUSH list:%d value:%d", i, i);
  for (int i = 0; i < count; ++i) EXPECT_EQ(pops[static_cast<std::size_t>(i)].get(), "value:" + std::to_string(i));
}

TEST_F(hiredis, a_subscriber_reads_what_another_fiber_publishes) {
  constexpr int count = 1000;
  weft::event subscribed;
  auto subscriber = weft::spawn([&] {
    const connection c = connect();
    ask(c, "SUBSCRIBE news");
    subscribed.set();
    int sum = 0;
    for (int i = 0; i < count; ++i) {
      void* next = nullptr;
      if (redisGetReply(c.get(), &next) != REDIS_OK) return -1;
      const reply r(static_cast<redisReply*>(next), freeReplyObject);
      sum += std::stoi(r->element[2]->str);
    }
    return sum;
  });
  subscribed.wait();
  const connection c = connect();
  for (int i = 0; i < count; ++i) ask(c, "PUBLISH news %d", i);
  EXPECT_EQ(subscriber.get(), count * (count - 1) / 2);
}

TEST_F(hiredis, a_kill_and_a_timeout_end_what_it_waits_for) {
  const auto pop = [this] {
    const connection c = connect();
    const reply r = ask(c, "BLPOP empty 0");
    const int error = errno;
    EXPECT_EQ(r, nullptr);
    EXPECT_EQ(c->err, REDIS_ERR_IO);
    EXPECT_EQ(error, ECANCELED);
    weft::this_fiber::interruption_point();
    ADD_FAILURE();
    return 0;
  };
  auto waits = weft::spawn(pop);
  usleep(1000);
  EXPECT_TRUE(waits.kill());
  EXPECT_THROW(waits.get(), weft::task_cancelled);
  EXPECT_EQ(weft::with_timeout(5ms, pop, 7), 7);
}

TEST_F(hiredis, a_time_limit_of_its_own_ends_as_it_does_natively) {
  const auto limited = [this] {
    const connection c = connect();
    redisSetTimeout(c.get(), timeval{0, 20'000});  // SO_RCVTIMEO
    const reply r = ask(c, "BLPOP empty 0");
    const int error = errno;
    EXPECT_EQ(r, nullptr);
    return std::to_string(c->err) + ' ' + std::to_string(error) + ' ' + static_cast<const char*>(c->errstr);
  };
  int turns = 0;
  auto other = weft::spawn([&] { ++turns; });
  const std::string natively = weft::patch::original(limited)();
  EXPECT_EQ(turns, 0);
  EXPECT_EQ(limited(), natively);
  EXPECT_EQ(turns, 1);
  other.get();
}

}  // namespace
