// SPDX-License-Identifier: MIT
#pragma once

namespace weft::shim {

/// Finds out how the stubs of objects that may use AVX save vector registers.
void detect_vectors();
/// Whether the processor has more of them than the 16 bytes of xmm0 to xmm15.
bool vectors_are_wide();

}  // namespace weft::shim
