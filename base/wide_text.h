// SPDX-License-Identifier: Apache-2.0
// UTF-16, the text of Windows' own functions. Only built for Windows. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>

namespace hostclaw {

// What is not well-formed becomes U+FFFD, which no name of the system holds by itself.
std::wstring to_wide(std::string_view text);
std::string from_wide(std::wstring_view text);

// A path for CreateFileW and its kin: separators as Windows writes them, and beyond MAX_PATH in the form that
// has no limit.
std::wstring to_wide_path(std::string_view path);

}  // namespace hostclaw
