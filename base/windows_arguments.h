// SPDX-License-Identifier: Apache-2.0
// Quoting for command lines that CommandLineToArgvW and the C runtime of Windows take apart. Pure text, the
// same on every system; safe from any thread.
#pragma once

#include <string>
#include <string_view>

namespace hostclaw {

// The spelling of one argument that is not the first word of its line: in quotes where it needs them.
std::string quoted_windows_argument(std::string_view argument);

// The same for a program of MSYS2 or Cygwin (Git's Unix tools), which takes the line apart by itself: outside
// of quotes it also knows `'` and expands * ? [ { ~ and @file, and inside of quotes two backslashes are one.
// Always in quotes, every backslash twice.
std::string quoted_msys_argument(std::string_view argument);

}  // namespace hostclaw
