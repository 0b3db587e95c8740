// SPDX-License-Identifier: Apache-2.0
// Times as people type and read them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace hostclaw::cli {

// "90s", "30m", "12h", "7d", "2w" in milliseconds. Error CONFIG_INVALID naming `what`.
Result<std::int64_t> parse_duration(const std::string& text, const std::string& what);

// When something ends: a duration from `now_ms` on, or an ISO time such as 2027-01-31, 2027-01-31T18:00,
// 2027-01-31T18:00:00Z or ...+02:00 (local time where it names no zone). Must lie after `now_ms`.
Result<std::int64_t> parse_until(const std::string& text, const std::string& what, std::int64_t now_ms);

// "45 s", "9 min", "3 h", "5 days"; never negative.
std::string duration_text(std::int64_t ms);

}  // namespace hostclaw::cli
