// SPDX-License-Identifier: MIT
#pragma once

// All of Weft's public headers.
#include "weft/address.hpp"
#include "weft/buffer.hpp"
#include "weft/cancelled.hpp"
#include "weft/deadline.hpp"
#include "weft/fiber.hpp"
#include "weft/fork.hpp"
#include "weft/io.hpp"
#include "weft/io_error.hpp"
#include "weft/park.hpp"
#include "weft/watcher.hpp"
