// SPDX-License-Identifier: Apache-2.0
// Display form of an argv and the keys that are derived from it. Exec contract 3.3 and 7.5. Pure; safe from
// any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/model/types.h"

namespace hostclaw::policy {

// Display form of an argv, exec contract 3.3: joined by spaces, quoted where needed.
std::string command_text(const std::vector<std::string>& argv);

// First 16 hex digits of SHA-256 of the trimmed command text; the tail of `=command:` and `=node-command:`.
std::string command_key(std::string_view command_text);

inline constexpr std::string_view kExactCommandPrefix = "=command:";
inline constexpr std::string_view kNodeCommandPrefix = "=node-command:";
inline constexpr std::string_view kCwdArgvPrefix = "sha256:cwd-argv:v1:";
inline constexpr std::string_view kLegacyArgvPrefix = "sha256:argv:";

// `sha256:cwd-argv:v1:` + digest over the requested cwd and the arguments after argv[0]. `cwd` is trimmed and
// normalised lexically here; symlinks are not resolved (the official host binds the string).
std::string cwd_argv_pattern(std::string_view cwd, const std::vector<std::string>& arguments,
                             Platform platform);

// Removes `.`, `..` and doubled slashes without looking at the file system; keeps one trailing slash.
// A relative path stays relative; an empty one becomes `.`.
std::string normalize_path(std::string_view path);

// normalize_path without the trailing slash; `path` relative to absolute `base` when it is not absolute.
std::string absolute_path(std::string_view base, std::string_view path, Platform platform = Platform::kPosix);

bool is_absolute_path(std::string_view path, Platform platform);

// A path or name of Windows in the one form in which two are compared; and as Windows writes a path.
std::string windows_form(std::string_view path);
std::string with_backslashes(std::string_view path);

// Last component, after the last `/` (on Windows also `\`).
std::string_view base_name(std::string_view path, Platform platform = Platform::kPosix);

}  // namespace hostclaw::policy
