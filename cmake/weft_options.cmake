# SPDX-License-Identifier: MIT
# weft_options: the flags that every target of the project is compiled with.
add_library(weft_options INTERFACE)
target_compile_options(weft_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -fno-omit-frame-pointer -fasynchronous-unwind-tables)
if(WEFT_WERROR)
  target_compile_options(weft_options INTERFACE -Werror)
endif()
if(WEFT_CHECKS)
  target_compile_definitions(weft_options INTERFACE WEFT_CHECKS=1)
endif()
if(WEFT_SANITIZE STREQUAL "address")
  target_compile_options(weft_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(weft_options INTERFACE -fsanitize=address,undefined)
elseif(WEFT_SANITIZE STREQUAL "thread")
  target_compile_options(weft_options INTERFACE -fsanitize=thread)
  target_link_options(weft_options INTERFACE -fsanitize=thread)
elseif(WEFT_SANITIZE)
  message(FATAL_ERROR "WEFT_SANITIZE is '${WEFT_SANITIZE}'; it can be 'address', 'thread' or empty")
endif()

# weft_includes_asio(TARGET): what ThreadSanitizer does not see and g++ warns of are the fences of Asio's own loop, which nothing here
# runs. One of ours would be a mistake, so that the warning stays on elsewhere.
function(weft_includes_asio target)
  if(WEFT_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-tsan)
  endif()
endfunction()

# weft_precompile(TARGET header...): those headers are read once for all sources of TARGET, as they take longer to read than most sources
# take to compile. A source that includes too little is found nevertheless: check.clang reads each of lib and shim by itself, and the
# build with clang precompiles nothing. Nor does one with ccache, which caches nothing that is read so.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(weft_precompiles ON)
endif()
function(weft_precompile target)
  if(weft_precompiles)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# Of the standard library, what most of lib and shim include.
set(weft_standard_headers <algorithm> <array> <atomic> <chrono> <cstdint> <exception> <functional> <limits> <memory> <mutex> <optional>
  <span> <string> <string_view> <system_error> <type_traits> <utility> <vector>)
