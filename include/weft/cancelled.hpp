// SPDX-License-Identifier: MIT
#pragma once

namespace weft {

/// Thrown at a suspension point of a fiber that is being cancelled. It unwinds the fiber, so destructors clean up; to
/// stop work that can be told otherwise use `std::stop_token` or close its channel.
///
/// Not derived from std::exception: a handler for errors must not swallow it. Who catches it with `catch (...)` throws
/// it on. A fiber that ends by it counts as successful, as one that was asked to leave and did.
///
/// Order     Each request is thrown once, at the first suspension point where nothing shields it; while destructors run
///           because of an exception nothing more is thrown.
/// Threads   A value without content.
struct cancelled {};

}  // namespace weft
