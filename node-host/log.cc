#include "node-host/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>

#include "base/file_names.h"
#include "base/json.h"
#include "base/utf8.h"

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

std::string text_line(LogLevel level, std::string_view message) {
  std::string line = timestamp();
  line += ' ';
  line += name_of(level);
  line += ' ';
  append_escaped(line, message);
  return line;
}

std::string json_line(LogLevel level, std::string_view message) {
  std::string_view name = name_of(level);
  if (name.ends_with(' ')) name.remove_suffix(1);
  const OrderedJson line{{"time", timestamp()}, {"level", name}, {"message", message}};
  return dump_json(line);
}

std::string journal_line(LogLevel level, std::string_view message, bool json) {
  std::string line = "<" + std::to_string(journal_priority(level)) + ">";
  if (json) return line + json_line(level, message);
  append_escaped(line, message);
  return line;
}

// A new file that only its owner can read (Windows: as its directory says). The C library has no mode for
// fopen().
std::FILE* open_private(const std::string& path) {
  std::FILE* stream = open_file(path, "ab");
  if (stream == nullptr) return nullptr;
  std::error_code failed;
  std::filesystem::permissions(
      to_path(path), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, failed);
  return stream;
}

void write_to_file(LogFile& file, const std::string& line) {
  const std::lock_guard<std::mutex> hold(file.mutex);
  std::fwrite(line.data(), 1, line.size(), file.stream);
  std::fflush(file.stream);
  if (std::ftell(file.stream) < kMaxLogFileBytes) return;
  std::error_code ignored;
  std::fclose(file.stream);
  std::filesystem::rename(to_path(file.path), to_path(file.path + ".1"), ignored);
  file.stream = open_private(file.path);
  if (file.stream == nullptr) file.stream = stderr;
}

}  // namespace

void set_log_format(LogFormat format) { current_format.store(format, std::memory_order_relaxed); }

Result<void> set_log_file(const std::string& path) {
  std::FILE* stream = open_private(path);
  if (stream == nullptr) return make_error("FILE_UNWRITABLE", "cannot write the log file " + path);
  LogFile& file = log_file();
  const std::lock_guard<std::mutex> hold(file.mutex);
  file.path = path;
  file.stream = stream;
  return {};
}

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return current_level.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view message) {
  if (level > log_level()) return;
  const std::string text = to_valid_utf8(message);
  const LogFormat format = current_format.load(std::memory_order_relaxed);
  std::string line = format == LogFormat::kJson ? json_line(level, text)
                     : format == LogFormat::kText
                         ? text_line(level, text)
                         : journal_line(level, text, format == LogFormat::kJournalJson);
  line += '\n';
  if (LogFile& file = log_file(); file.stream != nullptr) return write_to_file(file, line);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace hostclaw::node_host
