// SPDX-License-Identifier: MIT
// A proxy on 127.0.0.1, two fibers for each connection:
//     proxy [PORT]                   SOCKS5 (RFC 1928): CONNECT without authentication, by address or by name
//     proxy [PORT] --to HOST:PORT    everything goes to that place
// Ends on SIGTERM or SIGINT.
#include <arpa/inet.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 30s;

// One direction, until its end or until one of both fails.
void pour(weft::stream_socket& from, weft::stream_socket& to) {
  weft::splicer().splice_all(from, to);
  to.shutdown();
}

// A failure of one direction ends the other.
void relay(weft::stream_socket& a, weft::stream_socket& b) {
  weft::scope both;
  both.run([&] {
    both.spawn([&] { pour(a, b); });
    pour(b, a);
  });
}

enum reply : unsigned char {
  done = 0,
  failed = 1,
  host_unreachable = 4,
  refused = 5,
  command_not_supported = 7,
  address_not_supported = 8
};

void answer(weft::stream_socket& client, reply how) {
  const unsigned char text[] = {5, how, 0, 1, 0, 0, 0, 0, 0, 0};
  client.write_all(text, patience);
}

reply reply_for(const std::error_code& why) {
  if (why == std::errc::connection_refused) return refused;
  return why.category() == weft::resolve_category() || why == std::errc::timed_out ? host_unreachable : failed;
}

// Reads the greeting and the request. @return where to; empty if it was answered with a refusal
weft::stream_socket connect_as_asked(weft::stream_socket& client) {
  const weft::deadline by = patience;
  unsigned char head[4];
  client.read_exactly(weft::mutable_buffer(head, 2), by);
  if (head[0] != 5) return {};
  std::vector<unsigned char> methods(head[1]);
  client.read_exactly(methods, by);
  const bool plain = std::memchr(methods.data(), 0, methods.size()) != nullptr;
  const unsigned char choice[] = {5, static_cast<unsigned char>(plain ? 0 : 0xff)};
  client.write_all(choice, by);
  if (!plain) return {};

  client.read_exactly(head, by);
  std::string host;
  if (head[3] == 1 || head[3] == 4) {
    unsigned char raw[16];
    const std::size_t size = head[3] == 1 ? 4 : 16;
    client.read_exactly(weft::mutable_buffer(raw, size), by);
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(size == 4 ? AF_INET : AF_INET6, raw, text, sizeof text);
    host = text;
  } else if (head[3] == 3) {
    unsigned char size = 0;
    client.read_exactly(weft::mutable_buffer(&size, 1), by);
    host.resize(size);
    client.read_exactly(host, by);
  } else {
    answer(client, address_not_supported);
    return {};
  }
  unsigned char port[2];
  client.read_exactly(port, by);
  if (head[1] != 1) {
    answer(client, command_not_supported);
    return {};
  }
  try {
    weft::stream_socket there = weft::connect(host, static_cast<std::uint16_t>(port[0] << 8 | port[1]), by);
    answer(client, done);
    return there;
  } catch (const std::system_error& error) {
    answer(client, reply_for(error.code()));
    return {};
  }
}

int usage() {
  std::fputs("usage: proxy [PORT] [--to HOST:PORT]\n", stderr);
  return 2;
}

bool is_port(const char* text) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  return end != text && *end == '\0' && value <= 65535;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0, to_port = 0;
  std::string to_host;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--to") == 0 && i + 1 < argc) {
      to_host = argv[++i];
      const std::size_t colon = to_host.rfind(':');
      if (colon == to_host.npos || !is_port(to_host.c_str() + colon + 1)) return usage();
      to_port = static_cast<std::uint16_t>(std::atoi(to_host.c_str() + colon + 1));
      to_host.resize(colon);
    } else if (is_port(argv[i])) {
      port = static_cast<std::uint16_t>(std::atoi(argv[i]));
    } else {
      return usage();
    }
  }
  try {
    weft::signal_stream stop({SIGINT, SIGTERM});
    weft::stream_server server(weft::address::loopback(AF_INET, port), [&](weft::stream_socket client) {
      weft::stream_socket there =
          to_host.empty() ? connect_as_asked(client) : weft::connect(to_host, to_port, patience);
      if (there.is_open()) relay(client, there);
    });
    server.start();
    std::printf("listening on %u\n", server.local_address().port());
    std::fflush(stdout);
    stop.receive();
    server.stop(100ms);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "proxy: %s\n", error.what());
    return 1;
  }
}
