// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "tests/io/support.hpp"
#include "weft/pipe.hpp"
#include "weft/stream_socket.hpp"

namespace weft {
namespace {

using namespace test;

TEST(fd_passing, descriptors_arrive_with_their_bytes) {
  auto [a, b] = stream_socket::pair();
  auto [reader, writer] = make_pipe();
  char room[8];
  const fiber receiver = spawn([&from = b, &room] {
    stream_socket::received got = from.receive_fds(room, 4);
    EXPECT_EQ(got.bytes, 3U);
    ASSERT_EQ(got.fds.size(), 2U);
    EXPECT_NE(fcntl(got.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
    pipe_writer w(got.fds[1].release());
    w.write_all("through the copy");
  });
  settle();
  EXPECT_EQ(a.send_fds("abc", std::array{reader.native_handle(), writer.native_handle()}), 3U);
  receiver.join();
  writer.close();
  char text[16];
  reader.read_exactly(text);
  EXPECT_EQ(std::string(text, 16), "through the copy");
  EXPECT_EQ(reader.read_some(text), 0U) << "both copies are closed";
}

TEST(fd_passing, bytes_may_come_without_descriptors) {
  auto [a, b] = stream_socket::pair();
  a.write_all("xy");
  char room[8];
  EXPECT_EQ(b.receive_fds(room, 4).fds.size(), 0U);
  a.send_fds("z", {});
  EXPECT_EQ(b.receive_fds(room, 0).bytes, 1U);
  a.close();
  EXPECT_EQ(b.receive_fds(room, 4).bytes, 0U);
}

TEST(fd_passing, more_than_wanted_are_closed) {
  auto [a, b] = stream_socket::pair();
  const std::set<std::string> before = open_files();
  char room[8];
  for (const std::size_t room_for : {0U, 1U, 2U}) {
    a.send_fds("x", std::array{0, 0, 0});
    EXPECT_EQ(failure([&, &from = b] { from.receive_fds(room, room_for); }), std::errc::message_size);
  }
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(failure([&to = a] { to.send_fds("", std::array{0}); }), std::errc::invalid_argument);
  EXPECT_EQ(failure([&to = a] { to.send_fds("x", std::vector<int>(254, 0)); }), std::errc::invalid_argument);
  EXPECT_EQ(failure([&to = a] { to.send_fds("x", std::array{-1}); }), std::errc::bad_file_descriptor);
  a.send_fds("x", std::vector<int>(253, 0));
  EXPECT_EQ(b.receive_fds(room, 253).fds.size(), 253U);
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace weft
