// SPDX-License-Identifier: MIT
#include "weft/stream_server.hpp"

#include <memory>
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
      begin([this, socket = std::move(s), from]() mutable { handle(stopping, std::move(socket), from); });
    } else {
      // Without the address the closure fits into the fiber's block.
      begin([this, socket = std::move(s)]() mutable { handle(stopping, std::move(socket), address()); });
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
    : basic_server(
          std::make_shared<state>(doors_at(at, options, listening), std::move(serve_one), wants_address, options)) {}

stream_server::stream_server(listener from, handler_function serve_one, bool wants_address,
                             const server_options& options)
    : basic_server(std::make_shared<state>(one(std::move(from)), std::move(serve_one), wants_address, options)) {}

address stream_server::local_address() const { return static_cast<state&>(*shared()).doors.front().local_address(); }
std::size_t stream_server::connections() const noexcept { return handlers(); }

}  // namespace weft
