// SPDX-License-Identifier: Apache-2.0
// The table of imports of a program of Windows, from bytes that are made here.
#include "node-host/system/process/program_imports.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace hostclaw::node_host {
namespace {

void put(std::string& bytes, std::size_t at, std::uint32_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// One section at address 0x1000 that lies at 0x400 of the file; `wide`: a program of 64 bits.
std::string program(const std::vector<std::string>& libraries, bool wide = true) {
  std::string bytes(0x800, '\0');
  const std::size_t header = 0x80;
  const std::uint32_t optional_bytes = wide ? 240 : 224;
  bytes[0] = 'M';
  bytes[1] = 'Z';
  put(bytes, 0x3C, header, 4);
  put(bytes, header, 0x00004550, 4);
  put(bytes, header + 6, 1, 2);
  put(bytes, header + 20, optional_bytes, 2);
  put(bytes, header + 24, wide ? 0x20B : 0x10B, 2);
  put(bytes, header + 24 + (wide ? 112 : 96) + 8, 0x1000, 4);
  const std::size_t section = header + 24 + optional_bytes;
  put(bytes, section + 12, 0x1000, 4);
  put(bytes, section + 16, 0x400, 4);
  put(bytes, section + 20, 0x400, 4);
  std::uint32_t name = 0x200;
  for (std::size_t i = 0; i < libraries.size(); ++i) {
    put(bytes, 0x400 + i * 20 + 12, 0x1000 + name, 4);
    std::copy(libraries[i].begin(), libraries[i].end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(0x400 + name));
    name += static_cast<std::uint32_t>(libraries[i].size()) + 1;
  }
  return bytes;
}

bool is_msys(const std::string& bytes, std::size_t* reads = nullptr) {
  const ReadAt read = [&](std::uint64_t offset, std::span<char> buffer) -> std::size_t {
    if (reads != nullptr) ++*reads;
    if (offset >= bytes.size()) return 0;
    return bytes.copy(buffer.data(), buffer.size(), static_cast<std::size_t>(offset));
  };
  return loads_a_library_of(read, {"msys-2.0.dll", "cygwin1.dll"});
}

TEST_CASE("a program of MSYS2 is known by the library that it loads, in any case, of 32 bits and of 64") {
  CHECK(is_msys(program({"KERNEL32.dll", "MSYS-2.0.dll"})));
  CHECK(is_msys(program({"cygwin1.dll"}, false)));
  CHECK_FALSE(is_msys(program({"KERNEL32.dll", "msvcrt.dll"})));
  CHECK_FALSE(is_msys(program({"my-msys-2.0.dll"})));
  CHECK_FALSE(is_msys(program({})));
}

TEST_CASE("what is no program of Windows, or half of one, loads nothing") {
  CHECK_FALSE(is_msys(""));
  CHECK_FALSE(is_msys("#!/bin/sh\n"));
  const std::string whole = program({"msys-2.0.dll"});
  for (std::size_t size = 0; size < 0x400 + 20; ++size) REQUIRE_FALSE(is_msys(whole.substr(0, size)));
}

TEST_CASE("a program whose numbers are made up is read to no end that is far") {
  std::uint32_t state = 1;
  const auto random = [&state] {
    state = state * 1664525 + 1013904223;
    return state >> 8;
  };
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = program({"a.dll", "b.dll"});
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    std::size_t reads = 0;
    (void)is_msys(bytes, &reads);
    REQUIRE(reads < 2000);
  }
  // A table without an end: every entry names the same library.
  std::string endless = program({"a.dll"});
  for (std::size_t at = 0x400; at + 20 <= 0x600; at += 20) put(endless, at + 12, 0x1200, 4);
  std::copy_n("a.dll", 5, endless.begin() + 0x600);
  CHECK_FALSE(is_msys(endless));
}

}  // namespace
}  // namespace hostclaw::node_host
