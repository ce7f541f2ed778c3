# SPDX-License-Identifier: MIT
# Compiler settings that every target of the tree shares, and the one way to declare a test.

# weft_settings: warnings, visibility, frame pointers (dumps walk them) and the sanitizer of this build.
add_library(weft_settings INTERFACE)
target_include_directories(weft_settings INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(weft_settings INTERFACE _GNU_SOURCE
  $<$<CONFIG:Debug>:WEFT_DEBUG=1>)
target_compile_options(weft_settings INTERFACE
  -g
  $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wstrict-prototypes;-Wmissing-prototypes;-Wno-unused-parameter>
  $<$<COMPILE_LANGUAGE:C>:-fvisibility=hidden;-fno-omit-frame-pointer;-fno-strict-aliasing;-fno-common>)

# A frame that is larger than a guard touches each page on its way down, and so meets the guard.
include(CheckCCompilerFlag)
check_c_compiler_flag(-fstack-clash-protection WEFT_STACK_CLASH_PROTECTION)
if(WEFT_STACK_CLASH_PROTECTION)
  target_compile_options(weft_settings INTERFACE $<$<COMPILE_LANGUAGE:C>:-fstack-clash-protection>)
endif()

if(WEFT_SANITIZE STREQUAL "address")
  target_compile_options(weft_settings INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(weft_settings INTERFACE -fsanitize=address,undefined)
elseif(WEFT_SANITIZE STREQUAL "thread")
  target_compile_options(weft_settings INTERFACE -fsanitize=thread)
  target_link_options(weft_settings INTERFACE -fsanitize=thread)
elseif(WEFT_SANITIZE)
  message(FATAL_ERROR "WEFT_SANITIZE must be empty, address or thread, not '${WEFT_SANITIZE}'")
endif()

# weft_test(NAME name SOURCES file... [LIBS target...] [LABELS label...] [ARGS arg...] [TIMEOUT seconds])
# One executable of tests/kit.h, one ctest entry. Labels: `slow` keeps a test out of `make test`.
function(weft_test)
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS;ARGS" ${ARGN})
  add_executable(${T_NAME} ${T_SOURCES})
  target_link_libraries(${T_NAME} PRIVATE weft_settings kit ${T_LIBS})
  # A body that was not made a TEST is a function that nobody calls.
  target_compile_options(${T_NAME} PRIVATE
    $<$<COMPILE_LANGUAGE:C>:-Werror=unused-function;-Werror=missing-prototypes>)
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  if(WEFT_SANITIZE) # no test is about speed: what makes a program many times slower gets its time
    math(EXPR T_TIMEOUT "4 * ${T_TIMEOUT}")
  endif()
  set_tests_properties(${T_NAME} PROPERTIES TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77)
  if(T_LABELS)
    set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}")
  endif()
endfunction()
