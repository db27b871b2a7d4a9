// SPDX-License-Identifier: MIT
#include "weft/datagram_server.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/service.hpp"

namespace weft {

namespace {

constexpr std::size_t most_bytes = 65536;  // more than any datagram of UDP has

}  // namespace

struct __attribute__((visibility("hidden"))) datagram_server::state final : io::service {
  state(std::vector<datagram_socket> at, handler_function serve_one, const server_options& chosen)
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
    begin([this, message = room.substr(0, got.bytes), from] { handle(message, from); });
  }
  void close_doors() noexcept override {}  // handlers may still want to send
  void all_ended() noexcept override {
    for (datagram_socket& socket : sockets) socket.close();
  }

  std::vector<datagram_socket> sockets;
  const handler_function handle;
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

namespace {
datagram_server::handler_function no_empty(datagram_server::handler_function handle) {
  if (handle == nullptr) throw std::invalid_argument("weft::datagram_server: no handler");
  return handle;
}
}  // namespace

datagram_server::datagram_server(const address& at, handler_function handle, const server_options& options)
    : state_(std::make_shared<state>(sockets_at(at, options), no_empty(std::move(handle)), options)) {}
datagram_server::datagram_server(datagram_socket on, handler_function handle, const server_options& options)
    : state_(std::make_shared<state>(one(std::move(on)), no_empty(std::move(handle)), options)) {}
datagram_server::datagram_server(datagram_server&&) noexcept = default;
datagram_server& datagram_server::operator=(datagram_server&& from) noexcept {
  datagram_server old(std::move(from));  // ends what was here, and leaves a server that is moved to itself as it is
  state_.swap(old.state_);
  return *this;
}
datagram_server::~datagram_server() {
  if (state_ != nullptr) state_->end();
}

// Kept by who waits in it: the server may be destroyed meanwhile.
const std::shared_ptr<datagram_server::state>& datagram_server::shared() const {
  if (state_ == nullptr) throw std::logic_error("weft::datagram_server: moved away");
  return state_;
}

void datagram_server::start() { shared()->start(); }
bool datagram_server::serve(deadline by) {
  const std::shared_ptr<state> s = shared();
  return s->serve(by);
}
bool datagram_server::join(deadline by) {
  const std::shared_ptr<state> s = shared();
  return s->join(by);
}
bool datagram_server::stop(deadline grace) {
  const std::shared_ptr<state> s = shared();
  return s->stop(grace);
}
std::stop_token datagram_server::stop_token() const noexcept {
  return state_ == nullptr ? std::stop_token() : state_->stopping.get_token();
}
void datagram_server::send_to(const_buffer message, const address& to, deadline by) {
  const std::shared_ptr<state> s = shared();
  s->sockets.front().send_to(message, to, by);
}
address datagram_server::local_address() const { return shared()->sockets.front().local_address(); }
std::size_t datagram_server::handling() const noexcept { return state_ == nullptr ? 0 : state_->served.active(); }
bool datagram_server::running() const noexcept { return state_ != nullptr && state_->running(); }

}  // namespace weft
