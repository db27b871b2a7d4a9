// SPDX-License-Identifier: MIT
// gevent's geventsendfile.py: a file goes to a socket by sendfile(2), without passing through the program.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

namespace {

constexpr std::uint64_t size = 8 << 20;

}  // namespace

int main() {
  const weft::unique_fd file(memfd_create("example", MFD_CLOEXEC));
  if (file.get() < 0 || ftruncate(file.get(), size) != 0) return 1;

  auto [sender, receiver] = weft::stream_socket::pair();
  const weft::task<std::uint64_t> sent = weft::spawn([&file, s = std::move(sender)]() mutable {
    return s.send_file(file.get(), 0, size);  // waits whenever the socket is full; the socket is closed at the end
  });
  std::uint64_t received = 0;
  std::string buffer(65536, '\0');
  while (const std::size_t n = receiver.read_some({buffer.data(), buffer.size()})) received += n;
  std::printf("%llu bytes sent, %llu received\n", static_cast<unsigned long long>(sent.get()),
              static_cast<unsigned long long>(received));
}
