// SPDX-License-Identifier: Apache-2.0
// How a secret lies in the database. On POSIX as it is: the file is its owner's alone. On Windows encrypted
// for the account (DPAPI) and marked with a prefix that says so, because backups and other machines'
// administrators see files without their access lists. What has no prefix is plain on every system: databases
// from before, and secrets that were protected are still told apart from damaged ones.
//
// Pure apart from the system's key store. Thread rule: safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::approvals {

inline constexpr std::string_view kProtectedByWindowsAccount = "hostclaw-dpapi-v1:";
inline constexpr std::string_view kProtectedPrefix = "hostclaw-";  // of this and every later form

// Errors: SECRET_PROTECTION when the system refuses. `name` says in a message which secret it is about.
Result<std::string> protect_secret(std::string_view secret, std::string_view name);

// Errors: SECRET_UNREADABLE when it was protected for another account, on another machine, or by a newer
// version. The stored value is not touched.
Result<std::string> unprotect_secret(std::string_view stored, std::string_view name);

}  // namespace hostclaw::approvals
