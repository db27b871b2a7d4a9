// SPDX-License-Identifier: MIT
#pragma once

// All of Weft's public headers.
#include "weft/deadline.hpp"
#include "weft/fiber.hpp"
#include "weft/io.hpp"
