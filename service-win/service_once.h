// SPDX-License-Identifier: Apache-2.0
// Running this program once as the service's account. Windows lets nobody else become that account, so the
// service itself is started for it, with the word below as its argument; what is to be run lies in a file as
// secrets do.
#pragma once

#include <windows.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace hostclaw::service_win {

inline constexpr const wchar_t* kOnceWord = L"once";

struct OnceTask {
  std::vector<std::string> arguments;
  std::string input;  // its standard input; may be a secret
};

// The administrator's side. Errors: as keep_secret().
Result<void> leave_once_task(const std::string& state_directory, const OnceTask& task);
// What it has written since `at`, which moves on.
std::string once_output(const std::string& state_directory, std::size_t& at);
// The exit status it left, taken away; SERVICE_FAILED when it left none.
Result<int> take_once_status(const std::string& state_directory);

// The service's side: takes the task, runs it to its end or until `stop` is set, leaves output and status.
void run_once_task(const std::string& state_directory, HANDLE stop);

}  // namespace hostclaw::service_win
