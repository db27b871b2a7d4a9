// SPDX-License-Identifier: MIT
#include "weft/datagram_server.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "io/service.hpp"

namespace weft {

namespace {

constexpr std::size_t most_bytes = 65536;  // more than any datagram of UDP has

}  // namespace

struct __attribute__((visibility("hidden"))) datagram_server::state final : io::service {
  state(std::vector<datagram_socket> at, stoppable_function serve_one, const server_options& chosen)
      : service("datagram_server", chosen), sockets(std::move(at)), handle(std::move(serve_one)) {
    rooms.resize(std::max<std::size_t>(chosen.hubs.size(), 1));
  }

  void take_next(std::size_t index, std::error_code& ec) override {
    std::string& room = rooms[index];
    room.resize(most_bytes);
    address from;
    const datagram_socket::received got = sockets[index % sockets.size()].receive_from(room, from, ec);
    if (ec) return;
    if (got.truncated) throw std::system_error(EMSGSIZE, std::system_category(), "weft: datagram_server");
    begin([this, message = room.substr(0, got.bytes), from] { handle(stopping, message, from); });
  }
  void close_doors() noexcept override {}  // handlers may still want to send
  void all_ended() noexcept override {
    for (datagram_socket& socket : sockets) socket.close();
  }

  std::vector<datagram_socket> sockets;
  const stoppable_function handle;
  std::vector<std::string> rooms;  // what is being received, of each hub
};

namespace {

// As stream_server has listeners.
std::vector<datagram_socket> sockets_at(const address& at, const server_options& options) {
  const bool several = options.hubs.size() > 1 && at.is_ip();
  std::vector<datagram_socket> sockets;
  sockets.push_back(datagram_socket::bind(at, several));
  const address same = sockets.front().local_address();
  while (several && sockets.size() < options.hubs.size()) sockets.push_back(datagram_socket::bind(same, true));
  return sockets;
}

std::vector<datagram_socket> one(datagram_socket on) {
  std::vector<datagram_socket> sockets;
  sockets.push_back(std::move(on));
  return sockets;
}

}  // namespace

datagram_server::datagram_server(stoppable_function handle, const address& at, const server_options& options)
    : basic_server(std::make_shared<state>(sockets_at(at, options), std::move(handle), options)) {}
datagram_server::datagram_server(stoppable_function handle, datagram_socket on, const server_options& options)
    : basic_server(std::make_shared<state>(one(std::move(on)), std::move(handle), options)) {}

void datagram_server::send_to(const_buffer message, const address& to, deadline by) {
  const std::shared_ptr<io::service> kept = shared();
  static_cast<state&>(*kept).sockets.front().send_to(message, to, by);
}
address datagram_server::local_address() const {
  return static_cast<state&>(*shared()).sockets.front().local_address();
}
std::size_t datagram_server::handling() const noexcept { return handlers(); }

}  // namespace weft
