// SPDX-License-Identifier: Apache-2.0
// Lines of a log file that `node run --log-file` wrote, in either form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hostclaw::cli {

// The newest `lines` (0: all) of `text` that are not older than `since_ms` (0: whenever). A line without a
// time belongs to the one before it.
std::vector<std::string> newest_lines(std::string_view text, std::size_t lines, std::int64_t since_ms);

// {"time","level","message"}, whatever the form of the line.
std::string line_as_json(std::string_view line);

}  // namespace hostclaw::cli
