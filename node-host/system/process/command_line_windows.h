// SPDX-License-Identifier: Apache-2.0
// Command lines that are read as the arguments that were meant. Pure; safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hostclaw::node_host {

// One line from which CommandLineToArgvW and the C runtime read exactly `argv`. Requires: argv is not empty.
// Errors: EINVAL (the first word holds a quote, for which the line has no spelling), EILSEQ (not UTF-8),
// E2BIG (longer than Windows takes).
// kMsys: the same for a program that MSYS2's or Cygwin's library takes the line apart for.
enum class LineReader { kUsual, kMsys };
Result<std::wstring> command_line(const std::vector<std::string>& argv,
                                  LineReader reader = LineReader::kUsual);

// The line for cmd.exe (`cmd`: its real path) that runs `batch` with the arguments after argv[0]. Errors: as
// above; EINVAL for anything that cmd.exe or the batch file could read as more than an argument: each of
// " % ! ^ & | < > and every control character.
Result<std::wstring> batch_command_line(const std::wstring& cmd, const std::wstring& batch,
                                        const std::vector<std::string>& argv);

bool is_batch_file(const std::wstring& path);

}  // namespace hostclaw::node_host
