// SPDX-License-Identifier: Apache-2.0
// Log lines on stderr: one per event that an operator can act on. Never a secret.
// Thread rule: any thread; a line is written with one call. Standard error is never waited for: lines that
// nobody reads in time are dropped, and their number is told later.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::node_host {

enum class LogLevel { kError, kWarn, kInfo, kDebug };

// Lines below this level are dropped. Default kInfo.
void set_log_level(LogLevel level);
LogLevel log_level();
// error, warn, info or debug; another word is kInfo.
LogLevel log_level_named(std::string_view name);

enum class LogFormat {
  kText,         // one line, as below
  kJson,         // one object a line: {"time","level","message"}
  kJournal,      // "<6>message": systemd's journal keeps the time itself
  kJournalJson,  // "<6>" and an object as kJson: the journal knows the priority too
};
void set_log_format(LogFormat format);  // default kText

// From now on lines go to this file instead of stderr: 0600, appended to; at 10 MiB it is renamed to PATH.1.
// Errors: FILE_UNWRITABLE.
Result<void> set_log_file(const std::string& path);

// `2026-11-21T09:00:00.000Z info  message`. What a terminal would obey or hide in `message` (base/utf8.h,
// show_unseen) is shown escaped, so text from a peer cannot forge a line.
void log(LogLevel level, std::string_view message);

inline void log_error(std::string_view message) { log(LogLevel::kError, message); }
inline void log_warn(std::string_view message) { log(LogLevel::kWarn, message); }
inline void log_info(std::string_view message) { log(LogLevel::kInfo, message); }
inline void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }

}  // namespace hostclaw::node_host
