#include "node-host/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>

#include "base/utf8.h"

namespace hostclaw::node_host {
namespace {

std::atomic<LogLevel> current_level{LogLevel::kInfo};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarn:
      return "warn ";
    case LogLevel::kInfo:
      return "info ";
    case LogLevel::kDebug:
      return "debug";
  }
  return "?";
}

std::string timestamp() {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date{day};
  const hh_mm_ss time{now - day};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

void append_escaped(std::string& line, std::string_view message) {
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      line += escaped;
    } else {
      line.push_back(c);
    }
  }
}

}  // namespace

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return current_level.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (level > log_level()) return;
  std::string line = timestamp();
  line += ' ';
  line += name_of(level);
  line += ' ';
  append_escaped(line, to_valid_utf8(message));
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace hostclaw::node_host
