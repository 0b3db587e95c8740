// SPDX-License-Identifier: Apache-2.0
// What the commands know about the system they run on. One file for each kind of system.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hostclaw::cli {

// The command line as UTF-8, with the program's name first. Also prepares standard input and output: UTF-8,
// every byte as it is. Call it once, at the start.
std::vector<std::string> command_line_arguments(int argc, char** argv);

// Windows: the code page that this process's console had before that; 0 when it has no console, and
// elsewhere.
unsigned int console_page_at_start();

// The columns of the terminal that standard output is; 0 when it is none.
std::size_t output_width();
bool output_is_terminal();
// Whether standard error is a terminal, where a line may be written over.
bool errors_go_to_terminal();
// A terminal that takes colour sequences; prepares it where that is needed.
bool output_understands_colours();

// Goes on in the background, without the terminal; the process that was started ends with success. Call it
// before there is a second thread. Errors: errno names; on Windows there is no such thing (UNSUPPORTED).
Result<void> detach_from_terminal();
// Writes the process id. Errors: ALREADY_RUNNING when the file names a process of this program that lives;
// FILE_UNWRITABLE.
Result<void> write_pid_file(const std::string& path);

// Whether every account of this machine may read that file, as its mode says. Windows: not looked at, false.
bool everybody_may_read(const std::string& path);

// How a gateway carries text to a node on this system.
std::vector<std::string> gateway_carrier(const std::string& text);

// A program that every such system has, for examples.
std::string example_program();

// {kernel, system}: which system this is, without the machine's name. Members that are not known are left
// out.
Json system_release();

// Folders outside of the state directory with a service's secrets in their files.
std::vector<std::string> credential_folders();

// The definition of the official host's own service, when there may be one.
std::optional<std::string> official_service_definition(const std::string& home);

// The service definition that a package contains; nullopt where packages contain none.
std::optional<std::string> packaged_service_definition();

}  // namespace hostclaw::cli
