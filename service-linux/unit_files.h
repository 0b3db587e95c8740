// SPDX-License-Identifier: Apache-2.0
// What the services of this room share: files written whole, and systemctl. Thread rule: one thread.
// Errors: SERVICE_PERMISSIONS, SERVICE_FAILED, TOOL_* (tool.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/app/service_manager.h"
#include "service-linux/tool.h"

namespace hostclaw::service_linux {

// Empty when it cannot be read.
std::string read_text(const std::string& path);
// By errno.
Error file_error(const std::string& what, const std::string& path);
// All or nothing: a crash leaves the old file.
Result<void> write_file(const std::string& path, const std::string& text, unsigned mode);
// `mode` is the last one's; those above it get 0755.
Result<void> make_directories(const std::string& path, unsigned mode);

// running | starting | stopping | stopped | failed | unknown, of systemd's ActiveState.
std::string status_word(const std::string& active);
// Where this account's own units are.
std::string user_units_directory();

// Why the manager of that scope cannot be asked; empty: it answers.
std::string systemd_unavailable(node_host::ServiceScope scope);
Result<ToolOutput> run_systemctl(node_host::ServiceScope scope, std::vector<std::string> words,
                                 std::chrono::seconds timeout);
// What a tool that failed said, as an error.
Error refused(const ToolOutput& said, const std::string& tool, const std::string& next);
int systemd_version();  // 0: not known

}  // namespace hostclaw::service_linux
