// SPDX-License-Identifier: MIT
// gevent's unixsocket_server.py and unixsocket_client.py in one program: a server at a Unix address, here an abstract one, which
// leaves no file behind.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

int main() {
  const weft::address at = weft::address::abstract("weft-example-" + std::to_string(getpid()));
  weft::stream_server server(at, [](weft::stream_socket client) {
    std::string buffer;
    const std::size_t length = client.read_until(buffer, "\n");
    client.write_all("you said: " + buffer.substr(0, length));
  });
  server.start();

  weft::stream_socket client = weft::stream_socket::connect(at);
  client.write_all("hello over a Unix socket\n");
  std::string answer;
  client.read_until(answer, "\n");
  std::fputs(answer.c_str(), stdout);
  server.stop();
}
