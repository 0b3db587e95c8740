// SPDX-License-Identifier: Apache-2.0
// errno, translated once, at the edge of the operating system. Safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::node_host {

// "ENOENT"; "E<number>" for a value that has no name.
std::string error_name(int error_number);

// "No such file or directory": the words of the C locale, without a trailing full stop.
std::string error_text(int error_number);

// What this host has run out of, where that is what an error name says; else empty. EAGAIN is meant of the
// start of a process.
inline std::string_view exhausted_what(std::string_view name) {
  if (name == "EMFILE" || name == "ENFILE") return "file descriptors";
  if (name == "EAGAIN") return "processes";
  if (name == "ENOMEM") return "memory";
  return {};
}

// Error{code: error_name, message: error_text}.
Error system_error(int error_number);

}  // namespace hostclaw::node_host
