// SPDX-License-Identifier: MIT
#include "weft/basic_server.hpp"

#include <stdexcept>
#include <utility>

#include "io/service.hpp"

namespace weft {

basic_server::basic_server(std::shared_ptr<io::service> made) noexcept : service_(std::move(made)) {}
basic_server::basic_server(basic_server&&) noexcept = default;
basic_server& basic_server::operator=(basic_server&& from) noexcept {
  basic_server old(std::move(from));  // ends what was here, and leaves a server that is moved to itself as it is
  service_.swap(old.service_);
  return *this;
}

basic_server::~basic_server() {
  if (service_ != nullptr) service_->end();
}

const std::shared_ptr<io::service>& basic_server::shared() const {
  if (service_ == nullptr) throw std::logic_error("weft: a server that was moved away");
  return service_;
}

// A call that waits keeps the service: the server may be destroyed meanwhile.
void basic_server::start() { shared()->start(); }
bool basic_server::serve(deadline by) {
  const std::shared_ptr<io::service> kept = shared();
  return kept->serve(by);
}
bool basic_server::join(deadline by) {
  const std::shared_ptr<io::service> kept = shared();
  return kept->join(by);
}
bool basic_server::stop(deadline grace) {
  const std::shared_ptr<io::service> kept = shared();
  return kept->stop(grace);
}
std::stop_token basic_server::stop_token() const noexcept {
  return service_ == nullptr ? std::stop_token() : service_->stopping.get_token();
}
bool basic_server::running() const noexcept { return service_ != nullptr && service_->running(); }
std::size_t basic_server::handlers() const noexcept { return service_ == nullptr ? 0 : service_->served.active(); }

}  // namespace weft
