// SPDX-License-Identifier: Apache-2.0
#include "cli/log_lines.h"

#include <cstdio>
#include <ctime>

#include "base/json.h"
#include "base/text.h"

namespace hostclaw::cli {
namespace {

// As the lines themselves begin: the order of the texts is the order of the times.
std::string utc_text(std::int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts = *std::gmtime(&seconds);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

// The time of a line of either form, or empty.
std::string_view time_of(std::string_view line) {
  constexpr std::string_view kJsonStart = "{\"time\":\"";
  if (line.starts_with(kJsonStart)) line.remove_prefix(kJsonStart.size());
  return line.size() >= 24 && line[4] == '-' && line[10] == 'T' && line[23] == 'Z' ? line.substr(0, 24)
                                                                                   : std::string_view();
}

}  // namespace

std::vector<std::string> newest_lines(std::string_view text, std::size_t lines, std::int64_t since_ms) {
  std::vector<std::string> all = split(text, '\n');
  if (!all.empty() && all.back().empty()) all.pop_back();
  std::size_t first = 0;
  if (since_ms > 0) {
    const std::string from = utc_text(since_ms);
    for (first = all.size(); first > 0; --first) {
      const std::string_view time = time_of(all[first - 1]);
      if (!time.empty() && time < from) break;
    }
  }
  if (lines > 0 && all.size() - first > lines) first = all.size() - lines;
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first));
  return all;
}

std::string line_as_json(std::string_view line) {
  if (line.starts_with('{') && parse_json(line)) return std::string(line);
  OrderedJson out;
  const std::string_view time = time_of(line);
  if (!time.empty() && line.size() > 31) {
    out["time"] = time;
    out["level"] = trim(line.substr(25, 5));
    line.remove_prefix(31);
  }
  out["message"] = line;
  return dump_json(out);
}

}  // namespace hostclaw::cli
