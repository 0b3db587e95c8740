// SPDX-License-Identifier: Apache-2.0
// The text of the task that starts the node when its user logs on, written and read. Pure. Source: the schema
// of Task Scheduler 2.0 (MS-TSCH 2.5); the order of elements is the schema's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/profile.h"

namespace hostclaw::service_win {

// Of this profile.
inline std::string task_name() { return with_profile("hostclaw"); }

struct LogonTask {
  std::vector<std::string> words;  // absolute program first
  std::string user;                // DOMAIN\name, or a SID
  std::string working_directory;
};

// UTF-8; what is not allowed in XML 1.0 is left out.
std::string render_task(const LogonTask& task);

struct TaskFacts {
  bool ours = false;  // carries our marker
  std::vector<std::string> words;
  std::string user;
  std::string working_directory;
};
TaskFacts read_task(std::string_view xml);

}  // namespace hostclaw::service_win
