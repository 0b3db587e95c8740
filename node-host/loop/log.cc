// SPDX-License-Identifier: Apache-2.0
#include "node-host/loop/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>

#include "base/file_names.h"
#include "base/json.h"
#include "base/utf8.h"
#include "node-host/system/host/log_output.h"

namespace hostclaw::node_host {
namespace {

std::atomic<LogLevel> current_level{LogLevel::kInfo};
std::atomic<LogFormat> current_format{LogFormat::kText};

constexpr long kMaxLogFileBytes = 10L * 1024 * 1024;

// Set once at the start, before other threads exist.
struct LogFile {
  std::mutex mutex;
  std::string path;
  std::FILE* stream = nullptr;
};
LogFile& log_file() {
  static LogFile file;
  return file;
}

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

int journal_priority(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return 3;
    case LogLevel::kWarn:
      return 4;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kDebug:
      return 7;
  }
  return 6;
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

std::string text_line(LogLevel level, std::string_view message) {
  std::string line = timestamp();
  line += ' ';
  line += name_of(level);
  line += ' ';
  line += show_unseen(message);
  return line;
}

std::string json_line(LogLevel level, std::string_view message) {
  std::string_view name = name_of(level);
  if (name.ends_with(' ')) name.remove_suffix(1);
  const OrderedJson line{{"time", timestamp()}, {"level", name}, {"message", message}};
  return show_unseen(dump_json(line), UnseenForm::kJson);
}

std::string journal_line(LogLevel level, std::string_view message, bool json) {
  std::string line = "<" + std::to_string(journal_priority(level)) + ">";
  if (json) return line + json_line(level, message);
  line += show_unseen(message);
  return line;
}

void write_to_file(LogFile& file, const std::string& line) {
  const std::lock_guard<std::mutex> hold(file.mutex);
  std::fwrite(line.data(), 1, line.size(), file.stream);
  std::fflush(file.stream);
  if (std::ftell(file.stream) < kMaxLogFileBytes) return;
  std::error_code ignored;
  std::fclose(file.stream);
  std::filesystem::rename(to_path(file.path), to_path(file.path + ".1"), ignored);
  file.stream = open_log_file(file.path);
  if (file.stream == nullptr) file.stream = stderr;
}

std::string make_line(LogLevel level, std::string_view message) {
  const std::string text = to_valid_utf8(message);
  const LogFormat format = current_format.load(std::memory_order_relaxed);
  std::string line = format == LogFormat::kJson ? json_line(level, text)
                     : format == LogFormat::kText
                         ? text_line(level, text)
                         : journal_line(level, text, format == LogFormat::kJournalJson);
  return line + '\n';
}

// A pipe that nobody reads must not hold up the node. What it did not take is counted, and told when it takes
// something again.
void write_or_drop(const std::string& line) {
  static std::mutex mutex;
  static std::size_t dropped = 0;
  static bool torn = false;  // the last line that was written has no end
  const std::lock_guard<std::mutex> hold(mutex);
  std::string text = torn ? "\n" : "";
  if (dropped > 0) {
    text += make_line(LogLevel::kWarn,
                      std::to_string(dropped) + " lines of the log were dropped: nobody read them in time");
  }
  text += line;
  const std::size_t taken = write_to_standard_error(text, dropped == 0);
  if (taken == text.size()) {
    dropped = 0;
    torn = false;
    return;
  }
  ++dropped;
  torn = torn || taken > 0;
}

}  // namespace

void set_log_format(LogFormat format) { current_format.store(format, std::memory_order_relaxed); }

Result<void> set_log_file(const std::string& path) {
  std::FILE* stream = open_log_file(path);
  if (stream == nullptr) return make_error("FILE_UNWRITABLE", "cannot write the log file " + path);
  LogFile& file = log_file();
  const std::lock_guard<std::mutex> hold(file.mutex);
  file.path = path;
  file.stream = stream;
  return {};
}

LogLevel log_level_named(std::string_view name) {
  if (name == "error") return LogLevel::kError;
  if (name == "warn") return LogLevel::kWarn;
  return name == "debug" ? LogLevel::kDebug : LogLevel::kInfo;
}

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return current_level.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (level > log_level()) return;
  const std::string line = make_line(level, message);
  if (LogFile& file = log_file(); file.stream != nullptr) return write_to_file(file, line);
  write_or_drop(line);
}

}  // namespace hostclaw::node_host
