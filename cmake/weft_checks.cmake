# SPDX-License-Identifier: MIT
# weft_checks: what looks at the sources instead of running them. Each check is a test, so that ctest is the one list.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
find_program(CLANG_FORMAT clang-format-14)
find_program(CLANG_TIDY clang-tidy-14)
find_program(CLANGXX clang++-14)

# weft_check(NAME COMMAND...) adds a test of labels lint and fast that runs COMMAND in the source tree.
function(weft_check name)
  add_test(NAME check.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(check.${name} PROPERTIES LABELS "fast;lint")
endfunction()

weft_check(layers ${Python3_EXECUTABLE} cmake/check_layers.py)
weft_check(layers_self_test ${Python3_EXECUTABLE} tests/checks/check_layers_test.py)
weft_check(tidy_self_test ${Python3_EXECUTABLE} tests/checks/check_tidy_test.py)
weft_check(docs ${Python3_EXECUTABLE} cmake/check_docs.py)
if(CLANG_FORMAT)
  weft_check(format bash cmake/check_format.sh ${CLANG_FORMAT})
  add_custom_target(format COMMAND bash cmake/check_format.sh ${CLANG_FORMAT} --fix
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
endif()
if(CLANG_TIDY AND CMAKE_EXPORT_COMPILE_COMMANDS)
  # Takes too long for every commit. For a folder that you work on: python3 cmake/check_tidy.py clang-tidy-14 build/release lib/core
  weft_check(tidy ${Python3_EXECUTABLE} cmake/check_tidy.py ${CLANG_TIDY} ${PROJECT_BINARY_DIR}
    lib shim examples bench tests)
  set_tests_properties(check.tidy PROPERTIES TIMEOUT 9000 COST 1000 LABELS "nightly;lint")
endif()

# What is installed and what shows how to use it, and every public header alone. The rest is built with clang at night.
if(CLANGXX AND CMAKE_EXPORT_COMPILE_COMMANDS)
  weft_check(clang ${Python3_EXECUTABLE} cmake/check_clang.py ${CLANGXX} ${PROJECT_BINARY_DIR} lib shim examples)
  set_tests_properties(check.clang PROPERTIES TIMEOUT 3000 COST 900)
endif()
# The same of the headers with the compiler that builds, and with its code.
if(public_headers)
  weft_check(headers ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
  set_tests_properties(check.headers PROPERTIES RESOURCE_LOCK build_folder TIMEOUT 3000 LABELS "nightly;lint")
endif()

if(TARGET weft)
  weft_check(symbols.libweft ${Python3_EXECUTABLE} tests/checks/check_symbols.py libweft $<TARGET_FILE:weft>
    "$<FILTER:$<TARGET_OBJECTS:weft>,INCLUDE,[.]o$>") # precompiled headers count as objects too
endif()
foreach(part IN LISTS parts)
  weft_check(symbols.libweft-${part} ${Python3_EXECUTABLE} tests/checks/check_symbols.py libweft-${part}
    $<TARGET_FILE:weft-${part}>)
endforeach()
if(TARGET weft-shim)
  weft_check(symbols.libweft-shim ${Python3_EXECUTABLE} tests/checks/check_symbols.py libweft-shim $<TARGET_FILE:weft-shim>)
endif()
