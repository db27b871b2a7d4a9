// SPDX-License-Identifier: MIT
#include "weft/stream_server.hpp"

#include "io/crew.hpp"
#include "weft/cancelled.hpp"

namespace weft {

struct __attribute__((visibility("hidden"))) stream_server::state : std::enable_shared_from_this<stream_server::state> {
  state(listener from, handler_function serve_one, bool with_address, const server_options& chosen)
      : door(std::move(from)),
        serve(std::move(serve_one)),
        wants_address(with_address),
        options(chosen),
        connections(chosen.limit) {}

  void start();
  void accept_all() noexcept;
  void accept_until_closed();
  void begin(stream_socket s, const address& from);
  void run(stream_socket s, const address& from) noexcept;

  listener door;
  handler_function serve;
  const bool wants_address;
  const server_options options;
  io::crew connections;
  io::crew acceptors{1};
  std::stop_source stopping;
  std::atomic<bool> started{false};
  std::exception_ptr failure;  // of the acceptor, read behind its end
};

void stream_server::state::start() {
  if (started.exchange(true) || stopping.stop_requested()) return;
  acceptors.take_place();
  try {
    spawn({.name = "acceptor"}, [self = shared_from_this()] { self->accept_all(); });
  } catch (...) {
    acceptors.give_place_back();
    throw;
  }
}

void stream_server::state::accept_all() noexcept {
  const io::crew::member self(acceptors);
  try {
    if (!acceptors.cancelling()) accept_until_closed();
  } catch (const cancelled&) {
    // stop() was called
  } catch (...) {
    failure = std::current_exception();
  }
}

void stream_server::state::accept_until_closed() {
  io::back_off pause(options.first_back_off, options.longest_back_off);
  std::size_t in_a_row = 0;
  for (;;) {
    // Before accept: who cannot be served yet waits in the backlog, where another process may take it.
    connections.take_place();
    struct place {
      io::crew& in;
      bool taken = true;
      ~place() {
        if (taken) in.give_place_back();
      }
    } mine{connections};
    address from;
    std::error_code ec;
    stream_socket s = door.accept(wants_address ? &from : nullptr, ec);
    try {
      if (ec) throw std::system_error(ec, "weft: accept");
      begin(std::move(s), from);
      mine.taken = false;
      pause.reset();
    } catch (const cancelled&) {
      throw;
    } catch (...) {
      // No descriptors, no memory, no stack: what others hold now they will give back.
      if (stopping.stop_requested()) return;
      if (ec && !io::is_passing(ec)) throw;
      if (options.on_error || pause.fresh()) io::report(options.on_error, "stream_server: trying again");
      pause.wait();
      continue;
    }
    if (++in_a_row >= options.accept_budget) {
      in_a_row = 0;
      this_fiber::yield();
    }
  }
}

void stream_server::state::begin(stream_socket s, const address& from) {
  if (wants_address) {
    spawn(options.fibers,
          [self = shared_from_this(), socket = std::move(s), from]() mutable { self->run(std::move(socket), from); });
  } else {
    // Without the address the closure fits into the fiber's block.
    spawn(options.fibers,
          [self = shared_from_this(), socket = std::move(s)]() mutable { self->run(std::move(socket), address()); });
  }
}

void stream_server::state::run(stream_socket s, const address& from) noexcept {
  const io::crew::member self(connections);
  if (connections.cancelling()) return;
  try {
    serve(std::move(s), from);
  } catch (const cancelled&) {
    // stop() has had enough of it
  } catch (...) {
    io::report(options.on_error, "stream_server: a handler threw");
  }
}

stream_server::stream_server(listener from, handler_function serve_one, bool wants_address,
                             const server_options& options)
    : state_(std::make_shared<state>(std::move(from), std::move(serve_one), wants_address, options)) {}

stream_server::stream_server(stream_server&&) noexcept = default;
stream_server& stream_server::operator=(stream_server&&) noexcept = default;

stream_server::~stream_server() {
  if (state_ == nullptr) return;
  const io::shielded all_through;
  stop(deadline::from_ns(0));
}

void stream_server::start() { state_->start(); }

bool stream_server::join(deadline by) {
  const std::shared_ptr<state> s = state_;
  if (!s->acceptors.wait_for_end(by) || !s->connections.wait_for_end(by)) return false;
  if (s->failure != nullptr) std::rethrow_exception(s->failure);
  return true;
}

void stream_server::serve() {
  start();
  try {
    join();
  } catch (...) {
    const io::shielded all_through;
    stop(deadline::from_ns(0));
    throw;
  }
}

bool stream_server::stop(deadline grace) {
  const std::shared_ptr<state> s = state_;
  s->stopping.request_stop();
  s->door.close();
  s->acceptors.cancel_all();
  s->acceptors.wait_for_end(deadline::never());
  const bool in_time = s->connections.wait_for_end(grace);
  if (!in_time) {
    s->connections.cancel_all();
    s->connections.wait_for_end(deadline::never());
  }
  return in_time;
}

std::stop_token stream_server::stop_token() const noexcept { return state_->stopping.get_token(); }
address stream_server::local_address() const { return state_->door.local_address(); }
std::size_t stream_server::connections() const noexcept { return state_->connections.active(); }
bool stream_server::running() const noexcept { return state_->acceptors.size() != 0; }

}  // namespace weft
