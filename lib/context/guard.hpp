// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace weft::context {

enum class guard_kind { lightweight, mapping, none };

/// Makes the pages at [@p pages, @p pages + @p bytes) fault on every access.
///
/// Lightweight guards (MADV_GUARD_INSTALL, Linux 6.13+) cost no mapping. Elsewhere mprotect splits the mapping in two,
/// and vm.max_map_count (65,530 by default) ends that near 32,000 stacks: so from 28,000 such guards on, further stacks
/// go without, after one warning.
/// @return the kind of guard that now stands there.
guard_kind install_guard(void* pages, std::size_t bytes) noexcept;

/// Takes away a guard that `install_guard` reported as @p kind: the pages read as zero again.
void remove_guard(void* pages, std::size_t bytes, guard_kind kind) noexcept;

/// Whether this kernel has lightweight guards. Probes once.
bool has_lightweight_guards() noexcept;

}  // namespace weft::context
