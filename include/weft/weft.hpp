// SPDX-License-Identifier: MIT
#pragma once

// All of Weft's public headers.
#include "weft/address.hpp"
#include "weft/barrier.hpp"
#include "weft/buffer.hpp"
#include "weft/cancelled.hpp"
#include "weft/condition_variable.hpp"
#include "weft/deadline.hpp"
#include "weft/event.hpp"
#include "weft/fiber.hpp"
#include "weft/fork.hpp"
#include "weft/io.hpp"
#include "weft/io_error.hpp"
#include "weft/latch.hpp"
#include "weft/mutex.hpp"
#include "weft/once.hpp"
#include "weft/park.hpp"
#include "weft/recursive_mutex.hpp"
#include "weft/semaphore.hpp"
#include "weft/shared_mutex.hpp"
#include "weft/watcher.hpp"
