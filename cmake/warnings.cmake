# SPDX-License-Identifier: Apache-2.0
# One target a folder: madvtrace_library(NAME sources...) makes a static library
# with the project's warnings.
add_library(madvtrace_flags INTERFACE)
target_compile_options(madvtrace_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Wno-missing-field-initializers # designated initialisers leave out what has a default
  $<$<BOOL:${MADVTRACE_WERROR}>:-Werror>)
if(MADVTRACE_ASAN)
  target_compile_options(madvtrace_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # Where it is loaded never changes: a third less time to begin, which every test pays.
  target_link_options(madvtrace_flags INTERFACE -fsanitize=address,undefined -no-pie)
endif()
# A folder is compiled as one, in less than half of the time, most of which goes into headers.
# Names that are local to its files must differ for that; whether one hides another in the
# same file, and whether a file includes all that it needs, is for the preset "separate" to say.
if(MADVTRACE_TOGETHER)
  target_compile_options(madvtrace_flags INTERFACE
    -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
target_include_directories(madvtrace_flags INTERFACE
  ${CMAKE_SOURCE_DIR}/userspace ${CMAKE_SOURCE_DIR})

function(madvtrace_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC madvtrace_flags)
  if(MADVTRACE_TOGETHER)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
  endif()
endfunction()
