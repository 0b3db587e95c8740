// SPDX-License-Identifier: Apache-2.0
// Which libraries a program of Windows (PE) loads at its start, as far as one question goes: some take their
// own command line apart, and need it spelled for that. The file may be anybody's: every number in it is
// checked, and no more than a few hundred small pieces are read. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

namespace hostclaw::node_host {

// Reads at an offset into the whole of `buffer`; answers how many bytes there were.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<char> buffer)>;

// Whether the program behind `read` names one of `libraries` (lower-case) in its table of imports. False for
// what is no such program, or a damaged one.
bool loads_a_library_of(const ReadAt& read, std::initializer_list<std::string_view> libraries);

}  // namespace hostclaw::node_host
