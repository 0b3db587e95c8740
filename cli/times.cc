// SPDX-License-Identifier: Apache-2.0
#include "cli/times.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>

namespace hostclaw::cli {
namespace {

Error time_error(const std::string& what, const std::string& why) {
  return make_error("CONFIG_INVALID", what + ": " + why);
}

// Milliseconds, or nothing when the text is no ISO time.
std::optional<std::int64_t> iso_time(const std::string& text) {
  std::tm parts{};
  int taken = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &taken) !=
          3 ||
      taken != 10)
    return std::nullopt;
  std::string rest = text.substr(10);
  if (!rest.empty()) {
    if (rest[0] != 'T' && rest[0] != ' ') return std::nullopt;
    if (std::sscanf(rest.c_str() + 1, "%2d:%2d%n", &parts.tm_hour, &parts.tm_min, &taken) != 2 || taken != 5)
      return std::nullopt;
    rest = rest.substr(6);
    if (rest.starts_with(':')) {
      if (std::sscanf(rest.c_str(), ":%2d%n", &parts.tm_sec, &taken) != 1 || taken != 3) return std::nullopt;
      rest = rest.substr(3);
    }
  }
  const bool possible = parts.tm_year >= 1970 && parts.tm_mon >= 1 && parts.tm_mon <= 12 &&
                        parts.tm_mday >= 1 && parts.tm_mday <= 31 && parts.tm_hour >= 0 &&
                        parts.tm_hour <= 23 && parts.tm_min >= 0 && parts.tm_min <= 59 && parts.tm_sec >= 0 &&
                        parts.tm_sec <= 59;
  if (!possible) return std::nullopt;
  const int day = parts.tm_mday;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  parts.tm_isdst = -1;
  std::time_t seconds = 0;
  if (rest.empty()) {
    seconds = std::mktime(&parts);
  } else {
    int hours = 0;
    int minutes = 0;
    if (rest != "Z" && rest != "z") {
      const bool zone = (rest[0] == '+' || rest[0] == '-') && rest.size() == 6 &&
                        std::sscanf(rest.c_str() + 1, "%2d:%2d", &hours, &minutes) == 2 && hours <= 14 &&
                        minutes <= 59;
      if (!zone) return std::nullopt;
    }
    const int sign = rest[0] == '-' ? -1 : 1;
    using namespace std::chrono;
    const sys_days month{year(parts.tm_year + 1900) / (parts.tm_mon + 1) / 1};
    const sys_seconds at = month + days(day - 1) + std::chrono::hours(parts.tm_hour - sign * hours) +
                           std::chrono::minutes(parts.tm_min - sign * minutes) +
                           std::chrono::seconds(parts.tm_sec);
    seconds = system_clock::to_time_t(at);
  }
  // The 31st of a month that has no such day would have become another day.
  if (rest.empty() && parts.tm_mday != day) return std::nullopt;
  return std::int64_t{seconds} * 1000;
}

}  // namespace

Result<std::int64_t> parse_duration(const std::string& text, const std::string& what) {
  const char last = text.empty() ? '\0' : text.back();
  const std::int64_t unit = last == 's'   ? 1'000
                            : last == 'm' ? 60'000
                            : last == 'h' ? 3'600'000
                            : last == 'd' ? 86'400'000
                            : last == 'w' ? 604'800'000
                                          : 0;
  const std::string digits = text.substr(0, text.empty() ? 0 : text.size() - 1);
  const bool number =
      !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == std::string::npos;
  if (unit == 0 || !number || std::stoll(digits) == 0)
    return time_error(what, "give a number and s, m, h, d or w, for example 12h");
  return std::stoll(digits) * unit;
}

Result<std::int64_t> parse_until(const std::string& text, const std::string& what, std::int64_t now_ms) {
  if (const auto duration = parse_duration(text, what)) return now_ms + *duration;
  const std::optional<std::int64_t> at = iso_time(text);
  if (!at) return time_error(what, "give a duration such as 2h or 7d, or a time such as 2027-01-31T18:00");
  if (*at <= now_ms) return time_error(what, "this time has passed");
  return *at;
}

std::string duration_text(std::int64_t ms) {
  const std::int64_t seconds = std::max<std::int64_t>(0, ms) / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 2 * 3600) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

}  // namespace hostclaw::cli
