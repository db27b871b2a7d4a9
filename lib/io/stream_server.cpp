// SPDX-License-Identifier: MIT
#include "weft/stream_server.hpp"

#include <stdexcept>
#include <vector>

#include "io/service.hpp"

namespace weft {

struct __attribute__((visibility("hidden"))) stream_server::state final : io::service {
  state(std::vector<listener> from, handler_function serve_one, bool with_address, const server_options& chosen)
      : service("stream_server", chosen),
        doors(std::move(from)),
        handle(std::move(serve_one)),
        wants_address(with_address) {}

  void take_next(std::size_t index, std::error_code& ec) override {
    address from;
    stream_socket s = doors[index % doors.size()].accept(wants_address ? &from : nullptr, ec);
    if (ec) return;
    if (wants_address) {
      begin([this, socket = std::move(s), from]() mutable { handle(std::move(socket), from); });
    } else {
      // Without the address the closure fits into the fiber's block.
      begin([this, socket = std::move(s)]() mutable { handle(std::move(socket), address()); });
    }
  }
  void close_doors() noexcept override {
    for (listener& door : doors) door.close();
  }

  std::vector<listener> doors;
  const handler_function handle;
  const bool wants_address;
};

namespace {

// For several hubs as many listeners at one port, among which the kernel spreads connections.
std::vector<listener> doors_at(const address& at, const server_options& options, listen_options how) {
  const bool several = options.hubs.size() > 1 && at.is_ip();
  how.reuse_port = how.reuse_port || several;
  std::vector<listener> doors;
  doors.emplace_back(at, how);
  const address same = doors.front().local_address();
  while (several && doors.size() < options.hubs.size()) doors.emplace_back(same, how);
  return doors;
}

std::vector<listener> one(listener from) {
  std::vector<listener> doors;
  doors.push_back(std::move(from));
  return doors;
}

}  // namespace

stream_server::stream_server(const address& at, handler_function serve_one, bool wants_address,
                             const server_options& options, const listen_options& listening)
    : state_(std::make_shared<state>(doors_at(at, options, listening), std::move(serve_one), wants_address, options)) {}

stream_server::stream_server(listener from, handler_function serve_one, bool wants_address,
                             const server_options& options)
    : state_(std::make_shared<state>(one(std::move(from)), std::move(serve_one), wants_address, options)) {}

stream_server::stream_server(stream_server&&) noexcept = default;
stream_server& stream_server::operator=(stream_server&& from) noexcept {
  stream_server old(std::move(from));  // ends what was here, and leaves a server that is moved to itself as it is
  state_.swap(old.state_);
  return *this;
}

stream_server::~stream_server() {
  if (state_ != nullptr) state_->end();
}

// Kept by who waits in it: the server may be destroyed meanwhile.
const std::shared_ptr<stream_server::state>& stream_server::shared() const {
  if (state_ == nullptr) throw std::logic_error("weft::stream_server: moved away");
  return state_;
}

void stream_server::start() { shared()->start(); }
bool stream_server::serve(deadline by) {
  const std::shared_ptr<state> s = shared();
  return s->serve(by);
}
bool stream_server::join(deadline by) {
  const std::shared_ptr<state> s = shared();
  return s->join(by);
}
bool stream_server::stop(deadline grace) {
  const std::shared_ptr<state> s = shared();
  return s->stop(grace);
}
std::stop_token stream_server::stop_token() const noexcept {
  return state_ == nullptr ? std::stop_token() : state_->stopping.get_token();
}
address stream_server::local_address() const { return shared()->doors.front().local_address(); }
std::size_t stream_server::connections() const noexcept { return state_ == nullptr ? 0 : state_->served.active(); }
bool stream_server::running() const noexcept { return state_ != nullptr && state_->running(); }

}  // namespace weft
