// SPDX-License-Identifier: MIT
// Debian's libpq, which blocks its thread for each query, in many fibers of one OS thread, against Debian's PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "own_process.hpp"
#include "weft/patch.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::os_threads;

using connection = std::unique_ptr<PGconn, void (*)(PGconn*)>;
using result = std::unique_ptr<PGresult, void (*)(PGresult*)>;

// The folder of the newest server's programs, which are in no PATH; empty: there is none.
std::string server_programs() {
  std::string newest;
  std::error_code none;
  for (const auto& each : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const std::string programs = each.path() / "bin";
    if (access((programs + "/initdb").c_str(), X_OK) == 0 && programs > newest) newest = programs;
  }
  return newest;
}

// One server for all tests: to make a database takes seconds. It listens at a Unix socket in a folder of its own.
class libpq : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(weft::patch::all());
    const std::string programs = server_programs();
    if (programs.empty()) return;
    char made[] = "/tmp/weft-libpq-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    folder = made;
    if (!becomes_another_user()) return;
    std::vector<std::string> make = as_user;
    make.insert(make.end(),
                {programs + "/initdb", "--no-sync", "--auth=trust", "--username=weft", "--pgdata=" + folder + "/data"});
    weft::run_process(make, {}, {.out = weft::stdio::null(), .err = weft::stdio::pipe()});
    std::vector<std::string> serve = as_user;
    serve.insert(serve.end(), {programs + "/postgres", "-D", folder + "/data", "-k", folder, "-c",
                               "listen_addresses=", "-c", "fsync=off", "-c", "autovacuum=off"});
    server.emplace(serve, weft::process_options{.out = weft::stdio::null(), .err = weft::stdio::null()});
    const weft::deadline by = 50s;
    while (PQstatus(connect().get()) != CONNECTION_OK) {
      ASSERT_LT(weft::deadline(0s).ns(), by.ns());
      usleep(10'000);
    }
  }
  static void TearDownTestSuite() {
    if (server) {
      server->send_signal(SIGQUIT);  // at once
      server->wait();
      server.reset();
    }
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }
  void SetUp() override {
    if (!server) GTEST_SKIP() << "there is no PostgreSQL server, or no user to run it";
  }

  static connection connect() {
    return {PQconnectdb(("host=" + folder + " user=weft dbname=postgres").c_str()), PQfinish};
  }
  static result ask(const connection& c, const std::string& query) { return {PQexec(c.get(), query.c_str()), PQclear}; }
  // The first value of the answer, or what went wrong.
  static std::string value(const connection& c, const std::string& query) {
    const result r = ask(c, query);
    return PQresultStatus(r.get()) == PGRES_TUPLES_OK ? PQgetvalue(r.get(), 0, 0) : PQerrorMessage(c.get());
  }
  static void wait_until(const connection& c, const std::string& query, const std::string& answer) {
    const weft::deadline by = 50s;
    while (value(c, query) != answer) {
      ASSERT_LT(weft::deadline(0s).ns(), by.ns()) << query;
      usleep(1000);
    }
  }

 private:
  // The server refuses to be run by root.
  static bool becomes_another_user() {
    if (geteuid() != 0) return true;
    const passwd* const user = getpwnam("postgres");
    if (user == nullptr || chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0) return false;
    as_user = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"};
    return true;
  }

  static inline std::string folder;
  static inline std::vector<std::string> as_user;
  static inline std::optional<weft::process> server;
};

TEST_F(libpq, sleeping_queries_of_many_fibers_overlap_in_one_thread) {
  constexpr int count = 20;
  const connection watching = connect();
  std::vector<weft::task<std::string>> sleepers;
  for (int i = 0; i < count; ++i) {
    sleepers.push_back(weft::spawn([] {
      const connection c = connect();
      const result r = ask(c, "SELECT pg_sleep(3600)");
      const char* const state = PQresultErrorField(r.get(), PG_DIAG_SQLSTATE);
      return std::string(state != nullptr ? state : PQerrorMessage(c.get()));
    }));
  }
  const std::string asleep = " FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'";
  wait_until(watching, "SELECT count(*)" + asleep, std::to_string(count));
  EXPECT_EQ(os_threads(), 1U);
  EXPECT_EQ(value(watching, "SELECT count(pg_cancel_backend(pid))" + asleep), std::to_string(count));
  for (auto& each : sleepers) EXPECT_EQ(each.get(), "57014") << "query_canceled";
}

TEST_F(libpq, a_row_that_another_fiber_has_locked_is_waited_for) {
  const connection c = connect();
  ask(c, "CREATE TABLE accounts AS SELECT 1 AS id, 0 AS amount");
  ask(c, "BEGIN");
  ask(c, "UPDATE accounts SET amount = 100");
  std::vector<weft::task<>> adders;
  for (int i = 0; i < 5; ++i) {
    adders.push_back(weft::spawn([] {
      const connection mine = connect();
      EXPECT_EQ(PQresultStatus(ask(mine, "UPDATE accounts SET amount = amount + 1").get()), PGRES_COMMAND_OK);
    }));
  }
  const connection watching = connect();
  wait_until(watching, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "5");
  ask(c, "COMMIT");
  for (auto& each : adders) each.get();
  EXPECT_EQ(value(c, "SELECT amount FROM accounts"), "105");
}

TEST_F(libpq, a_listener_hears_what_another_fiber_says) {
  weft::event listening;
  auto listener = weft::spawn([&] {
    const connection c = connect();
    ask(c, "LISTEN news");
    listening.set();
    for (;;) {
      PQconsumeInput(c.get());
      if (PGnotify* const note = PQnotifies(c.get())) {
        const std::unique_ptr<PGnotify, void (*)(void*)> owned(note, PQfreemem);
        return std::string(note->extra);
      }
      pollfd ready{PQsocket(c.get()), POLLIN, 0};
      EXPECT_EQ(poll(&ready, 1, -1), 1);
    }
  });
  listening.wait();
  const connection c = connect();
  ask(c, "NOTIFY news, 'it has happened'");
  EXPECT_EQ(listener.get(), "it has happened");
}

TEST_F(libpq, a_kill_and_a_timeout_end_what_it_waits_for) {
  const connection watching = connect();
  const auto sleeps = [] {
    const connection c = connect();
    const result r = ask(c, "SELECT pg_sleep(3600)");
    EXPECT_NE(PQresultStatus(r.get()), PGRES_TUPLES_OK);
    weft::this_fiber::interruption_point();
    ADD_FAILURE();
    return 0;
  };
  auto waits = weft::spawn(sleeps);
  wait_until(watching, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
  EXPECT_TRUE(waits.kill());
  EXPECT_THROW(waits.get(), weft::task_cancelled);
  EXPECT_EQ(weft::with_timeout(50ms, sleeps, 7), 7);
}

}  // namespace
