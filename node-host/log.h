// Log lines on stderr: one per event that an operator can act on. Never a secret.
// Thread rule: any thread; a line is written with one call.
#pragma once

#include <string_view>

namespace hostclaw::node_host {

enum class LogLevel { kError, kWarn, kInfo, kDebug };

// Lines below this level are dropped. Default kInfo.
void set_log_level(LogLevel level);
LogLevel log_level();

// `2026-11-21T09:00:00.000Z info  message`. Control characters in `message` are shown escaped, so text from a
// peer cannot forge a line.
void log(LogLevel level, std::string_view message);

inline void log_error(std::string_view message) { log(LogLevel::kError, message); }
inline void log_warn(std::string_view message) { log(LogLevel::kWarn, message); }
inline void log_info(std::string_view message) { log(LogLevel::kInfo, message); }
inline void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }

}  // namespace hostclaw::node_host
