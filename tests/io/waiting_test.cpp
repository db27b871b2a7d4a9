// SPDX-License-Identifier: MIT
// What every call that waits has in common: it can be cancelled, it keeps its deadline, a close wakes it, and any number of
// fibers may wait in it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/io/support.hpp"
#include "tests/plain_threads.hpp"
#include "weft/datagram_socket.hpp"
#include "weft/listener.hpp"
#include "weft/pipe.hpp"
#include "weft/stream_socket.hpp"
#include "weft/test_clock.hpp"

namespace weft {
namespace {

using namespace test;

/// Sockets on which every call waits: nothing comes, and nothing more goes.
class stuck {
 public:
  stuck() {
    const std::string much(100'000, 'x');
    std::error_code ec;
    while (!ec) in_out += out.first.write_some(much, ec, deadline::from_ns(1));
    ec.clear();
    for (; !ec; ++sent) messages.first.send("x", ec, deadline::from_ns(1));
    --sent;  // the last one was late
    ec.clear();
    while (!ec) in_full += full.second.write_some(much, ec, deadline::from_ns(1));
    add("read_some", in.first, [this](deadline by) { in.first.read_some(room_, by); });
    add("read_exactly", in.first, [this](deadline by) { in.first.read_exactly(room_, by); });
    add("read_until", in.first, [this](deadline by) {
      std::string line;
      in.first.read_until(line, "\n", by);
    });
    add("read_some of several", in.first, [this](deadline by) {
      const mutable_buffer places[] = {mutable_buffer(room_)};
      in.first.read_some(places, by);
    });
    add("peek_some", in.first, [this](deadline by) { in.first.peek_some(room_, by); });
    add("receive_fds", in.first, [this](deadline by) { in.first.receive_fds(room_, 1, by); });
    add("wait_readable", in.first, [this](deadline by) {
      if (!in.first.wait_readable(by)) throw std::system_error(io_errc::timed_out);
    });
    add("write_some", out.first, [this](deadline by) { out.first.write_some("x", by); });
    add("write_all", out.first, [this](deadline by) { out.first.write_all("xx", by); });
    add("write_all of several", out.first, [this](deadline by) {
      const const_buffer places[] = {"x", "y"};
      out.first.write_all(places, by);
    });
    add("send_fds", out.first, [this](deadline by) { out.first.send_fds("x", std::array{0}, by); });
    add("send_file", out.first, [this](deadline by) { out.first.send_file(file_.get(), 0, 10, by); });
    add("wait_writable", out.first, [this](deadline by) {
      if (!out.first.wait_writable(by)) throw std::system_error(io_errc::timed_out);
    });
    add("accept", door, [this](deadline by) { door.accept(by); });
    add("receive", messages.first, [this](deadline by) { messages.first.receive(room_, by); });
    add("receive_from", messages.first, [this](deadline by) {
      address from;
      messages.first.receive_from(room_, from, by);
    });
    add("receive_many", messages.first, [this](deadline by) {
      std::vector<datagram_socket::incoming> into(3);
      messages.first.receive_many(into, by);
    });
    add("send", messages.first, [this](deadline by) { messages.first.send("x", by); });
    add("send_many", messages.first, [this](deadline by) {
      const datagram_socket::outgoing one[] = {{"x", {}}};
      messages.first.send_many(one, by);
    });
    add("pipe read", empty.first, [this](deadline by) { empty.first.read_some(room_, by); });
    add("pipe write", full.second, [this](deadline by) { full.second.write_some("x", by); });
  }

  struct call {
    std::function<void(deadline)> run;
    std::function<void()> close;
  };
  std::map<std::string, call> calls;
  std::pair<stream_socket, stream_socket> in = stream_socket::pair();
  std::pair<stream_socket, stream_socket> out = stream_socket::pair();
  std::pair<datagram_socket, datagram_socket> messages = datagram_socket::pair();
  std::pair<pipe_reader, pipe_writer> empty = make_pipe();
  std::pair<pipe_reader, pipe_writer> full = make_pipe();
  listener door{address::loopback(AF_INET, 0)};
  std::size_t in_out = 0, in_full = 0, sent = 0;  // bytes and messages that lie in them

 private:
  template <class Object>
  void add(const char* name, Object& on, std::function<void(deadline)> run) {
    calls[name] = {std::move(run), [&on] { on.close(); }};
  }
  char room_[16];
  unique_fd file_{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
};

TEST(waiting, every_call_can_be_cancelled) {
  stuck s;
  for (int round = 0; round < 2; ++round) {
    for (const auto& [name, call] : s.calls) {
      EXPECT_TRUE(cancels([&run = call.run] { run(deadline::never()); })) << name;
    }
  }
}

// @return the bytes that lie in @p reader
template <class Reader>
std::size_t drain(Reader& reader) {
  std::string room(100'000, '\0');
  std::error_code ec;
  std::size_t all = 0;
  while (!ec) all += reader.read_some(room, ec, deadline::from_ns(1));
  EXPECT_EQ(ec, io_errc::timed_out);
  return all;
}

TEST(waiting, calls_that_were_given_up_have_taken_and_given_nothing) {
  stuck s;
  for (const auto& [name, call] : s.calls) {
    expect_given_up(name, [&run = call.run](deadline by) { return !failure([&] { run(by); }); });
  }
  EXPECT_EQ(drain(s.out.second), s.in_out);
  EXPECT_EQ(drain(s.full.first), s.in_full);
  char room[16];
  for (std::size_t i = 0; i < s.sent; ++i) EXPECT_EQ(s.messages.second.receive(room, 1min).bytes, 1U);
  EXPECT_EQ(failure([&] { s.messages.second.receive(room, deadline::from_ns(1)); }), io_errc::timed_out);
  // All of them can be used on, and get what comes first.
  s.in.second.write_all("first");
  EXPECT_EQ(s.in.first.read_some(room, 1min), 5U);
  s.empty.second.write_all("first");
  EXPECT_EQ(s.empty.first.read_some(room, 1min), 5U);
  s.messages.second.send("first");
  EXPECT_EQ(s.messages.first.receive(room, 1min).bytes, 5U);
  s.out.first.write_all("last", 1min);
  EXPECT_EQ(drain(s.out.second), 4U);
  s.full.second.write_all("last", 1min);
  EXPECT_EQ(drain(s.full.first), 4U);
  const stream_socket caller = stream_socket::connect(s.door.local_address(), 1min);
  EXPECT_TRUE(s.door.accept(1min));
}

// What a longer call had read when it was given up stays where it is.
TEST(waiting, a_part_of_a_line_stays_in_its_buffer) {
  auto [a, b] = stream_socket::pair();
  std::string line;
  b.write_all("begin");
  expect_given_up("read_until", [&, &a = a](deadline by) { return !failure([&] { a.read_until(line, "\n", by); }); });
  EXPECT_EQ(line, "begin");
  b.write_all("ning\n");
  EXPECT_EQ(a.read_until(line, "\n", 1min), 10U);
}

TEST(waiting, every_call_keeps_its_deadline) {
  WEFT_TEST_CLOCK(clock);
  stuck s;
  for (const auto& [name, call] : s.calls) {
    EXPECT_EQ(failure([&run = call.run] { run(deadline::from_ns(1)); }), io_errc::timed_out) << name;
    const auto start = clock.elapsed();
    EXPECT_EQ(failure([&run = call.run] { run(1min); }), io_errc::timed_out) << name;
    EXPECT_EQ(clock.elapsed() - start, 1min) << name;
  }
}

TEST(waiting, a_close_wakes_all_that_wait_in_a_call) {
  const stuck every;
  for (const auto& entry : every.calls) {
    const std::string& name = entry.first;
    stuck s;
    constexpr int count = 20;
    int ended = 0;
    std::vector<fiber> waiters;
    waiters.reserve(count);
    for (int i = 0; i < count; ++i) {
      waiters.push_back(spawn([&] {
        EXPECT_EQ(failure([&] { s.calls[name].run(deadline::never()); }), std::errc::bad_file_descriptor) << name;
        ++ended;
      }));
    }
    settle();
    EXPECT_EQ(ended, 0) << name;
    s.calls[name].close();
    // The number is free at once and may be somebody else's: nobody looks at it any more.
    auto [other, far] = stream_socket::pair();
    far.write_all("not for them");
    for (const fiber& f : waiters) f.join();
    EXPECT_EQ(ended, count) << name;
    char room[16];
    EXPECT_EQ(other.read_some(room), 12U) << name;
    EXPECT_EQ(failure([&] { s.calls[name].run(1ms); }), std::errc::bad_file_descriptor) << name;
  }
}

TEST(waiting, giving_the_descriptor_away_wakes_them_too) {
  auto [a, b] = stream_socket::pair();
  const fiber reader = spawn([&a = a] {
    char room[1];
    EXPECT_EQ(failure([&] { a.read_some(room); }), std::errc::bad_file_descriptor);
  });
  settle();
  stream_socket again(a.release());
  reader.join();
  b.write_all("x");
  char room[1];
  EXPECT_EQ(again.read_some(room), 1U);
  again.write_all("y");
  EXPECT_EQ(b.read_some(room), 1U);
}

TEST(waiting, many_readers_and_writers_of_one_socket_are_all_served) {
  auto [a, b] = stream_socket::pair();
  constexpr int count = 50, rounds = 200;
  std::vector<fiber> fibers, writers;
  fibers.reserve(count);
  writers.reserve(count);
  int read = 0;
  for (int i = 0; i < count; ++i) {
    fibers.push_back(spawn([&, &from = b] {
      char room[1];
      while (from.read_some(room) == 1) ++read;
    }));
  }
  for (int i = 0; i < count; ++i) {
    writers.push_back(spawn([&to = a] {
      for (int k = 0; k < rounds; ++k) to.write_all("x");
    }));
  }
  for (const fiber& f : writers) f.join();
  a.shutdown();
  for (const fiber& f : fibers) f.join();
  EXPECT_EQ(read, count * rounds);
}

TEST(waiting, one_fiber_reads_while_another_writes_the_same_socket) {
  auto [a, b] = stream_socket::pair();
  for (stream_socket* s : {&a, &b}) s->set(socket_options::send_buffer, 1);
  constexpr std::size_t size = 300'000;
  std::vector<fiber> fibers;
  for (stream_socket* s : {&a, &b}) {
    fibers.push_back(spawn([s] { s->write_all(std::string(size, 'x')); }));
    fibers.push_back(spawn([s] {
      std::vector<char> room(size);
      s->read_exactly(room);
    }));
  }
  for (const fiber& f : fibers) f.join();
}

// Asks and answers itself on a socket that always has both: without turns the others would wait for ever.
TEST(waiting, a_fiber_that_never_has_to_wait_lets_others_run) {
  auto [a, b] = stream_socket::pair();
  auto [c, d] = stream_socket::pair();
  bool heard = false;
  const fiber other = spawn([&heard, &in = c] {
    char room[1];
    in.read_some(room);
    heard = true;
  });
  settle();
  d.write_all("x");
  char room[1];
  int calls = 0;
  while (!heard && calls < 1'000'000) {
    a.write_all("y");
    b.read_exactly(room);
    ++calls;
  }
  EXPECT_TRUE(heard);
  EXPECT_LT(calls, 1000);
  other.join();
}

TEST(waiting, a_fiber_that_never_has_to_wait_can_be_cancelled) {
  auto [a, b] = stream_socket::pair();
  EXPECT_TRUE(cancels_going([&a = a, &b = b] {
    char room[1];
    for (int i = 0; i < 1'000'000; ++i) {
      a.write_all("y");
      b.read_exactly(room);
    }
  }));
}

// A socket is closed and its number used anew again and again while fibers of another hub read from it: none of them may
// ever get what belongs to the next one.
TEST(waiting, no_call_hits_the_file_that_got_the_number_since) {
  constexpr int rounds = 100;
  std::atomic<stream_socket*> shared{nullptr};
  std::atomic<int> inside{0};
  std::atomic<bool> over{false};
  std::atomic<int> stolen{0};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      std::vector<fiber> readers;
      readers.reserve(4);
      for (int i = 0; i < 4; ++i) {
        readers.push_back(spawn([&] {
          while (!over.load()) {
            this_fiber::yield();
            if (shared.load() == nullptr) continue;
            ++inside;
            stream_socket* const s = shared.load();
            char room[8];
            std::error_code ec;
            if (s != nullptr && s->read_some(room, ec, 1ms) > 0) ++stolen;
            --inside;
          }
        }));
      }
      for (const fiber& f : readers) f.join();
    });
  }
  for (int round = 0; round < rounds; ++round) {
    auto [silent, peer] = stream_socket::pair();
    const int number = silent.native_handle();
    shared.store(&silent);
    while (inside.load() == 0) std::this_thread::yield();
    silent.close();
    auto [loud, far] = stream_socket::pair();
    far.write_all("mine");
    char room[8];
    if (loud.native_handle() == number) {
      EXPECT_EQ(loud.read_some(room, 60s), 4U);
    }
    shared.store(nullptr);
    while (inside.load() != 0) std::this_thread::yield();
  }
  over.store(true);
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(stolen.load(), 0);
}

}  // namespace
}  // namespace weft
