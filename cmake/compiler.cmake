# SPDX-License-Identifier: Apache-2.0
# Third-party headers are SYSTEM includes. Warnings are errors where we build; a packager's compiler may know more of
# them than ours.
add_library(hostclaw_options INTERFACE)
if(MSVC)
  target_compile_options(hostclaw_options INTERFACE /W4 /permissive- /utf-8 /bigobj /EHsc /Zc:__cplusplus)
  target_compile_definitions(hostclaw_options INTERFACE _WIN32_WINNT=0x0A00 WINVER=0x0A00 _CRT_SECURE_NO_WARNINGS)
else()
  target_compile_options(hostclaw_options INTERFACE
    -Wall -Wextra -Wpedantic $<$<BOOL:${HOSTCLAW_WERROR}>:-Werror> -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wcast-qual -Wformat=2 -Wundef -Wno-missing-field-initializers
    -ffunction-sections -fdata-sections -fstack-protector-strong)
endif()
target_compile_definitions(hostclaw_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ERROR_CODE_HEADER_ONLY JSON_USE_IMPLICIT_CONVERSIONS=0)
target_include_directories(hostclaw_options INTERFACE ${PROJECT_SOURCE_DIR})
if(WIN32)
  target_compile_definitions(hostclaw_options INTERFACE
    UNICODE _UNICODE NOMINMAX WIN32_LEAN_AND_MEAN __USE_MINGW_ANSI_STDIO=1)
  # Where the guards of the stack and of the C library's functions live.
  add_link_options($<$<CXX_COMPILER_ID:GNU>:-fstack-protector-strong>)
  # Without the time of the build: the same commit gives the same bytes.
  add_link_options($<$<CXX_COMPILER_ID:GNU>:-Wl,--no-insert-timestamp>)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside inlined library code and coroutine frames.
  target_compile_options(hostclaw_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-mismatched-new-delete)
  # In a unity build every file is included from another, so that GCC takes it for a header.
  if(CMAKE_UNITY_BUILD)
    target_compile_options(hostclaw_options INTERFACE -Wno-subobject-linkage)
  endif()
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MSVC)
  add_compile_definitions(_FORTIFY_SOURCE=2)
  # The place where it was built leaves no trace in the program: the same commit gives the same bytes.
  add_compile_options(-ffile-prefix-map=${PROJECT_BINARY_DIR}=build -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
endif()

if(HOSTCLAW_SANITIZE)
  add_compile_options(-fsanitize=${HOSTCLAW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${HOSTCLAW_SANITIZE})
  if(HOSTCLAW_SANITIZE MATCHES "undefined")
    # Clang 14 cannot instrument calls through pointers to functions in a file with coroutines.
    add_compile_options($<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  endif()
  if(HOSTCLAW_SANITIZE MATCHES "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

# What is built to be tested is linked often: gold takes half the time.
if(NOT HOSTCLAW_STATIC AND NOT WIN32)
  include(CheckLinkerFlag)
  check_linker_flag(CXX -fuse-ld=gold HOSTCLAW_GOLD)
  if(HOSTCLAW_GOLD)
    add_link_options(-fuse-ld=gold)
  endif()
endif()

if(HOSTCLAW_STATIC AND NOT MSVC)
  if(HOSTCLAW_CLIENT_ALONE)
    # No library at all: the container may have none, or another one's. At a fixed address: OpenSSL's tables would be
    # relocated page by page at every start, which takes longer than all the rest of it.
    add_link_options(-static -no-pie -s)
  else()
    add_link_options(-static-libstdc++ -static-libgcc)
  endif()
  add_link_options(-Wl,--gc-sections -Wl,--as-needed)
  # Packed relocations (glibc 2.36) take 8 % off the file; folding equal functions with gold, which cannot pack
  # them, took less.
  include(CheckLinkerFlag)
  if(NOT WIN32)
    check_linker_flag(CXX -Wl,-z,pack-relative-relocs HOSTCLAW_PACKED_RELOCATIONS)
  endif()
  if(HOSTCLAW_PACKED_RELOCATIONS)
    add_link_options(-Wl,-z,pack-relative-relocs)
  endif()
  # Optimizing the whole program at once leaves out what no room calls and folds what several hold: 4 % of the
  # file, for half as much compile time again. Not for Windows: GCC's linker plugin cannot read the large kind of
  # object file, which Asio's many sections need there.
  if(NOT WIN32)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT HOSTCLAW_WHOLE_PROGRAM LANGUAGES CXX OUTPUT HOSTCLAW_WHOLE_PROGRAM_PROBLEM)
  endif()
  if(HOSTCLAW_WHOLE_PROGRAM AND NOT HOSTCLAW_SANITIZE)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  endif()
endif()
