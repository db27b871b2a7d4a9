// SPDX-License-Identifier: MIT
#include "weft/file.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/message.hpp"
#include "core/dump.hpp"
#include "core/local_hub.hpp"
#include "io/file_ring.hpp"
#include "tests/io/support.hpp"
#include "weft/fiber.hpp"
#include "weft/offload.hpp"
#include "weft/thread_pool.hpp"

namespace weft {
namespace {

using namespace std::chrono_literals;
using test::failure;

/// Every test is run by the ring, and by threads. Each has a folder of its own.
class files : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && io::file_ring::of_this_hub() == nullptr) GTEST_SKIP() << "the kernel gives no io_uring";
    io::file_ring::allow(GetParam());
    char name[] = "/tmp/weft-file-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    io::file_ring::allow(true);
    if (folder_.empty()) return;
    for (const char* name : {"/data", "/fifo"}) unlink((folder_ + name).c_str());
    EXPECT_EQ(rmdir(folder_.c_str()), 0);
  }
  static bool by_ring() { return GetParam(); }
  std::string path() const { return folder_ + "/data"; }
  file make() const { return file::open(path(), O_RDWR | O_CREAT | O_EXCL); }
  std::string fifo() const {
    std::string name = folder_ + "/fifo";
    EXPECT_EQ(mkfifo(name.c_str(), 0600), 0);
    return name;
  }

 private:
  std::string folder_;
};

// Opens the other end as soon as somebody waits for it, unless @p over comes first.
void open_other_end(const std::string& name, const bool& over) {
  int fd = -1;
  EXPECT_TRUE(test::within_a_minute(
      [&] { return over || (fd = ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0; }));
  if (fd >= 0) ::close(fd);
}

TEST_P(files, what_is_written_is_read_at_its_place) {
  file f = make();
  EXPECT_EQ(f.write_at(std::string_view("hello world"), 0), 11U);
  EXPECT_EQ(f.write_at(std::string_view("W"), 6), 1U);
  char text[32] = {};
  EXPECT_EQ(f.read_at(text, 0), 11U);
  EXPECT_STREQ(text, "hello World");
  EXPECT_EQ(f.read_at(mutable_buffer(text, 3), 8), 3U);
  EXPECT_EQ(std::string_view(text, 3), "rld");
  EXPECT_EQ(f.read_at(text, 11), 0U);  // the end
  EXPECT_EQ(f.read_at(mutable_buffer(), 0), 0U);
}

TEST_P(files, several_places_are_one_call) {
  file f = make();
  const const_buffer parts[] = {std::string_view("one "), std::string_view("two "), std::string_view("three")};
  EXPECT_EQ(f.write_at(parts, 10), 13U);
  std::array<char, 4> first{};
  std::array<char, 9> second{};
  const mutable_buffer places[] = {first, second};
  EXPECT_EQ(f.read_at(places, 10), 13U);
  EXPECT_EQ(std::string_view(first.data(), 4), "one ");
  EXPECT_EQ(std::string_view(second.data(), 9), "two three");
}

TEST_P(files, size_status_truncate_and_sync) {
  file f = make();
  f.write_at(std::string_view("0123456789"), 0);
  f.sync();
  f.sync_data();
  EXPECT_EQ(f.size(), 10U);
  EXPECT_EQ(f.status().stx_mode & S_IFMT, static_cast<unsigned>(S_IFREG));
  f.truncate(4);
  EXPECT_EQ(f.size(), 4U);
  f.truncate(6);
  char text[8];
  EXPECT_EQ(f.read_at(text, 0), 6U);
  EXPECT_EQ(std::string_view(text, 6), std::string_view("0123\0\0", 6));
}

TEST_P(files, flags_and_mode_are_those_of_open) {
  const mode_t mask = umask(022);
  file f = file::open(path(), O_WRONLY | O_CREAT | O_APPEND, 0660);
  umask(mask);
  EXPECT_EQ(f.status().stx_mode & 0777, 0640);
  EXPECT_NE(fcntl(f.native_handle(), F_GETFD) & FD_CLOEXEC, 0);
  f.write_at(std::string_view("a"), 0);
  f.write_at(std::string_view("b"), 0);
  char text[4];
  EXPECT_EQ(failure([&] { f.read_at(text, 0); }), std::errc::bad_file_descriptor);  // only for writing
  EXPECT_EQ(file::open(path()).read_at(text, 0), 2U);
  EXPECT_EQ(std::string_view(text, 2), "ab");
}

TEST_P(files, errors_are_the_systems) {
  EXPECT_EQ(failure([&] { file::open(path()); }), std::errc::no_such_file_or_directory);
  std::error_code ec;
  EXPECT_FALSE(file::open(path(), O_RDONLY, 0, ec));
  EXPECT_EQ(ec, std::errc::no_such_file_or_directory);
  file f = make();
  EXPECT_EQ(failure([&] { make(); }), std::errc::file_exists);
  char text[4];
  EXPECT_EQ(f.read_at(text, 1UL << 63, ec), 0U);
  EXPECT_EQ(ec, std::errc::invalid_argument);
  f.close();
  EXPECT_FALSE(f.is_open());
  EXPECT_EQ(failure([&] { f.read_at(text, 0); }), std::errc::bad_file_descriptor);
  EXPECT_EQ(failure([&] { f.sync(); }), std::errc::bad_file_descriptor);
}

TEST_P(files, an_offset_beyond_all_files_is_refused) {
  file f = make();
  f.write_at(std::string_view("abcdef"), 0);
  for (const std::uint64_t offset : {~std::uint64_t{0}, ~std::uint64_t{5}, std::uint64_t{1} << 63}) {
    std::error_code ec;
    char text[8];
    EXPECT_EQ(f.write_at(std::string_view("XY"), offset, ec), 0U);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    EXPECT_EQ(f.read_at(text, offset, ec), 0U);
    EXPECT_EQ(ec, std::errc::invalid_argument);
  }
  char text[8];
  ASSERT_EQ(f.read_at(text, 0), 6U);
  EXPECT_EQ(std::string_view(text, 6), "abcdef");
}

TEST_P(files, streams_go_through_them) {
  file_stream out(make());
  out.write_all("first\nsecond\nlast");
  EXPECT_EQ(out.position(), 17U);
  file_stream in(file::open(path()), 6);
  std::string buffer;
  EXPECT_EQ(in.read_until(buffer, "\n"), 7U);
  EXPECT_EQ(buffer.substr(0, 7), "second\n");
  in.seek(13);
  char text[8];
  in.read_exactly(mutable_buffer(text, 4));
  EXPECT_EQ(std::string_view(text, 4), "last");
  EXPECT_EQ(in.read_some(text), 0U);
  EXPECT_EQ(failure([&] { in.read_exactly(mutable_buffer(text, 1)); }), io_errc::end_of_stream);
  EXPECT_EQ(in.underlying().size(), 17U);
}

TEST_P(files, more_calls_at_once_than_a_ring_has_entries) {
  file f = make();
  std::vector<task<std::size_t>> writers;
  for (std::uint64_t i = 0; i < 300; ++i) {
    writers.push_back(spawn([&f, i] { return f.write_at({&i, sizeof i}, i * sizeof i); }));
  }
  for (auto& w : writers) EXPECT_EQ(w.get(), sizeof(std::uint64_t));
  std::vector<std::uint64_t> all(300);
  EXPECT_EQ(f.read_at(all, 0), 300 * sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < 300; ++i) EXPECT_EQ(all[i], i);
}

TEST_P(files, fibers_of_several_hubs_use_one) {
  file f = make();
  f.write_at(std::string_view("shared"), 0);
  const auto read_often = [&f] {
    for (int i = 0; i < 100; ++i) {
      char text[6];
      ASSERT_EQ(f.read_at(text, 0), 6U);
      ASSERT_EQ(std::string_view(text, 6), "shared");
    }
  };
  std::thread other([&] { spawn(read_often).join(); });
  read_often();
  other.join();
}

TEST_P(files, others_run_while_one_waits) {
  const std::string name = fifo();
  const task<file> opening = spawn([&] { return file::open(name); });
  open_other_end(name, false);
  EXPECT_TRUE(opening.get().is_open());
}

TEST_P(files, a_wait_for_one_is_no_deadlock) {
  const std::string name = fifo();
  bool over = false;
  const fiber opening = spawn([&] {
    file::open(name);
    over = true;
  });
  test::settle();
  base::open_messages(path().c_str());
  core::report_deadlock(core::local_hub());
  base::open_messages(nullptr);
  EXPECT_EQ(std::filesystem::file_size(path()), 0U);
  open_other_end(name, over);
  EXPECT_TRUE(opening.join(60s));
}

TEST_P(files, a_deadline_takes_back_what_has_not_been_done) {
  const std::string name = fifo();
  const auto before = test::open_files();
  bool over = false;
  task<> other;
  // A thread that has begun cannot be stopped: its end is waited for, and counts.
  if (!by_ring()) other = spawn_after(30ms, [&] { open_other_end(name, over); });
  std::error_code ec;
  file f = file::open(name, O_RDONLY, 0, ec, 10ms);
  over = true;
  other.join();
  EXPECT_EQ(f.is_open(), !ec);
  if (by_ring()) {
    EXPECT_FALSE(f.is_open());
  }
  if (ec) {
    EXPECT_EQ(ec, io_errc::timed_out);
  }
  f.close();
  EXPECT_EQ(test::open_files(), before);
}

TEST_P(files, a_cancelled_call_ends_and_leaves_nothing_open) {
  const std::string name = fifo();
  const auto before = test::open_files();
  bool asked = false, over = false;
  task<> other;
  // A thread that has begun ends when somebody comes; sooner the call would not be cancelled.
  if (!by_ring()) {
    other = spawn([&] {
      test::until([&] { return asked; });
      open_other_end(name, over);
    });
  }
  const auto ask = [&] {
    this_fiber::idle();
    asked = true;
  };
  EXPECT_TRUE(testing_support::cancels_after(ask, [&] { file::open(name); }));
  over = true;
  other.join();
  EXPECT_EQ(test::open_files(), before);
}

// No thread to be had: a call waits until it is cancelled, or its time is over, and has done nothing.
TEST_P(files, a_cancelled_call_that_had_not_begun_has_done_nothing) {
  file f = make();
  f.write_at("as it was", 0);
  thread_pool& threads = default_thread_pool();
  const std::size_t limit = threads.limit();
  threads.limit(0);
  std::string text(9, '-');
  std::error_code ec;
  if (!by_ring()) {
    EXPECT_TRUE(test::cancels([&] { f.read_at(text, 0); }));
    EXPECT_TRUE(test::cancels([&] { f.write_at("changed", 0); }));
    EXPECT_TRUE(test::cancels([&] { f.sync(); }));
    EXPECT_TRUE(test::cancels([&] { f.sync_data(); }));
    EXPECT_TRUE(test::cancels([&] { (void)f.status(); }));
    f.write_at("late", 0, ec, 1ms);
    EXPECT_EQ(ec, io_errc::timed_out);
  }
  EXPECT_TRUE(test::cancels([&] { f.truncate(0); })) << "by a thread, whatever the kernel";
  EXPECT_EQ(failure([&] { f.truncate(0, 1ms); }), make_error_code(io_errc::timed_out));
  threads.limit(limit);
  EXPECT_EQ(text, "---------");
  EXPECT_EQ(f.read_at(text, 0), 9U);
  EXPECT_EQ(text, "as it was");
}

// By the ring: what is not there yet, and what there is no room for yet.
TEST_P(files, a_cancelled_read_or_write_that_waits_takes_and_leaves_nothing) {
  if (!by_ring()) GTEST_SKIP() << "a thread that has begun such a call cannot be called back";
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  file from(ends[0]), to(ends[1]);
  char room[4];
  EXPECT_TRUE(test::cancels([&] { from.read_at(room, 0); }));
  ASSERT_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  const std::string page(4096, 'x');
  std::size_t filled = 0;
  for (ssize_t n = 0; (n = ::write(ends[1], page.data(), page.size())) > 0;) filled += static_cast<std::size_t>(n);
  ASSERT_EQ(fcntl(ends[1], F_SETFL, 0), 0);
  EXPECT_TRUE(test::cancels([&] { to.write_at("more", 0); }));
  to.close();
  std::string all;
  std::string some(1 << 16, '\0');
  for (std::size_t n = 0; (n = from.read_at(some, 0)) > 0;) all.append(some, 0, n);
  EXPECT_EQ(all.size(), filled);
}

// Those that only a disk holds up end at any moment; the file is as before whichever it was.
TEST_P(files, a_cancellation_at_any_moment_leaves_the_file_usable) {
  file f = make();
  for (int i = 0; i < 20; ++i) {
    (void)test::cancels_going([&] {
      f.write_at("0123456789", 0);
      f.sync();
      f.sync_data();
      (void)f.status();
      f.truncate(10);
    });
  }
  f.write_at("0123456789", 0);
  f.truncate(10);
  EXPECT_EQ(f.size(), 10U);
}

TEST_P(files, a_close_lets_the_calls_under_way_end) {
  file f = make();
  const int number = f.native_handle();
  f.write_at(std::string(1 << 20, 'x'), 0);
  std::vector<task<std::size_t>> readers;
  std::vector<std::string> texts(20, std::string(1 << 16, '\0'));
  for (std::string& text : texts) {
    readers.push_back(spawn([&f, &text] {
      std::error_code ec;
      const std::size_t n = f.read_at(text, 0, ec);
      return ec == std::errc::bad_file_descriptor ? text.size() : n;
    }));
  }
  this_fiber::yield();
  f.close();
  for (auto& r : readers) EXPECT_EQ(r.get(), std::size_t{1} << 16);
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST_P(files, a_forks_child_has_a_way_of_its_own) {
#ifdef __SANITIZE_THREAD__
  if (!by_ring()) GTEST_SKIP() << "ThreadSanitizer has no threads in a fork's child";
#endif
  file f = make();
  f.write_at(std::string_view("parent"), 0);
  const pid_t child = fork();
  if (child == 0) {
    char text[8];
    const bool good = f.read_at(text, 0) == 6 && f.write_at(std::string_view("child"), 6) == 5 &&
                      GetParam() == (io::file_ring::of_this_hub() != nullptr);
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  char text[16];
  EXPECT_EQ(f.read_at(text, 0), 11U);
  EXPECT_EQ(std::string_view(text, 11), "parentchild");
}

INSTANTIATE_TEST_SUITE_P(by, files, testing::Bool(),
                         [](const auto& way) { return std::string(way.param ? "ring" : "threads"); });

}  // namespace
}  // namespace weft
