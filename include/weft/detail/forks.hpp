// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

/// How many forks lie between the first process and this one. Who remembers the number with what it knows of fibers finds out
/// in a fork's child, where all but the calling one are gone, that none of it holds any more. Written in the child alone.
extern "C" __attribute__((visibility("default"))) std::uint32_t weft_forks;
