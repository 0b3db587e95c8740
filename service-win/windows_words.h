// SPDX-License-Identifier: Apache-2.0
// Words of a Windows command line, as CommandLineToArgvW and the C runtime take them apart. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::service_win {

// One command line: the program always in quotes (it cannot hold any), so that a space in its path does not
// make another program of it; the other words where they need them.
std::string command_line_of(const std::vector<std::string>& words);
// The words after the program alone.
std::string arguments_of(const std::vector<std::string>& words);

std::vector<std::string> split_command_line(std::string_view line);

// Of a path with either separator.
std::string_view file_name_of(std::string_view path);

// Without regard to the case of ASCII letters, and `/` is `\`.
bool same_path(std::string_view left, std::string_view right);

// "C:\..." or "\\server\share...".
bool is_absolute_path(std::string_view path);

std::string with_backslashes(std::string_view path);

}  // namespace hostclaw::service_win
