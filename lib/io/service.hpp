// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <exception>
#include <limits>
#include <memory>
#include <stop_token>
#include <system_error>

#include "io/crew.hpp"
#include "weft/basic_server.hpp"
#include "weft/cancelled.hpp"
#include "weft/fiber.hpp"

namespace weft::io {

/// What all servers have in common: a loop on each hub that takes what comes in, and a fiber for each that handles it.
///
/// Threads   All from any fiber of any thread.
class [[gnu::visibility("hidden")]] service : public std::enable_shared_from_this<service> {
 public:
  /// @param name  "stream_server": opens the lines of reports
  service(const char* name, const server_options& chosen) : options(chosen), served(chosen.limit), name_(name) {}
  service(const service&) = delete;
  service& operator=(const service&) = delete;
  virtual ~service() = default;

  void start();
  bool serve(deadline by);
  bool join(deadline by);
  bool stop(deadline grace);
  /// For destructors: without grace, and nothing cancels it.
  void end();
  bool running() const noexcept { return loops_.size() != 0; }

  const server_options options;
  crew served;
  std::stop_source stopping;

 protected:
  /// Takes what comes next at the door of the hub numbered @p index, and begins a fiber for it by `begin`.
  virtual void take_next(std::size_t index, std::error_code & ec) = 0;
  /// Refuses what comes, at the beginning of a stop; and what is left to do at its end.
  virtual void close_doors() noexcept = 0;
  virtual void all_ended() noexcept {}

  /// Has a fiber of this hub call @p handle, for which there is a place already. What it throws is reported.
  template <class Handle>
  void begin(Handle handle) {
    fiber_attributes attributes = options.fibers;
    if (!attributes.on) attributes.on = hub::current();
    spawn(attributes, [self = shared_from_this(), handle = std::move(handle)]() mutable {
      self->run([](void* h) { (*static_cast<Handle*>(h))(); }, &handle);
    });
  }

 private:
  void run(void (*call)(void*), void* handle) noexcept;
  void loop(std::size_t index) noexcept;
  void take_all(std::size_t index);

  const char* const name_;
  crew loops_{std::numeric_limits<std::size_t>::max()};
  std::atomic<bool> started_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;  // the first of a loop, read behind their end
};

}  // namespace weft::io
