// SPDX-License-Identifier: MIT
// Stands for the shim, and for another library that someone preloads: it can be loaded, and does nothing.
extern const int weft_test_dummy;
const int weft_test_dummy = 1;
