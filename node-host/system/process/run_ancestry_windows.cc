// SPDX-License-Identifier: Apache-2.0
#include <windows.h>
// After windows.h.
#include <tlhelp32.h>

#include <algorithm>
#include <map>

#include "node-host/system/files/windows_handle.h"
#include "node-host/system/process/orphans.h"
#include "node-host/system/process/run_ancestry.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

std::uint64_t creation_time(DWORD pid) {
  const UniqueFd process = owned(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid));
  FILETIME created{};
  FILETIME ended{};
  FILETIME kernel{};
  FILETIME user{};
  if (!process || ::GetProcessTimes(as_handle(process.get()), &created, &ended, &kernel, &user) == 0)
    return 0;
  return static_cast<std::uint64_t>(created.dwHighDateTime) << 32 | created.dwLowDateTime;
}

// Whoever holds the lock of the state directory has written its number there. 0: nobody does.
std::int64_t lock_owner(const std::string& state_directory) {
  const auto path = exact_wide(state_directory + "\\node.lock");
  if (!path) return 0;
  const UniqueFd writing = owned(::CreateFileW(path->c_str(), GENERIC_WRITE,
                                               FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                               nullptr, OPEN_EXISTING, 0, nullptr));
  if (writing || ::GetLastError() != ERROR_SHARING_VIOLATION) return 0;
  const UniqueFd reading =
      owned(::CreateFileW(path->c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, 0, nullptr));
  char text[32] = {};
  DWORD size = 0;
  if (!reading || ::ReadFile(as_handle(reading.get()), text, sizeof text - 1, &size, nullptr) == 0) return 0;
  const std::string number(text, size);
  if (number.empty() || number.size() > 10 || number.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoll(number);
}

class WindowsProcesses final : public ProcessTable {
 public:
  explicit WindowsProcesses(std::string state_directory)
      : state_directory_(std::move(state_directory)), node_(lock_owner(state_directory_)) {
    const UniqueFd snapshot = owned(::CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
    PROCESSENTRY32W entry{};
    entry.dwSize = sizeof entry;
    if (!snapshot || ::Process32FirstW(as_handle(snapshot.get()), &entry) == 0) return;
    do {
      parents_[entry.th32ProcessID] = entry.th32ParentProcessID;
    } while (::Process32NextW(as_handle(snapshot.get()), &entry) != 0);
  }

  std::optional<ProcessFacts> look(std::int64_t pid) override {
    const auto found = parents_.find(static_cast<DWORD>(pid));
    if (found == parents_.end()) return std::nullopt;
    ProcessFacts facts;
    facts.pid = pid;
    facts.parent = found->second;
    facts.started = creation_time(found->first);
    if (node_ != 0 && pid == node_) facts.node_of = state_directory_;
    return facts;
  }

  std::optional<ProcessFacts> look_at_self() override {
    std::optional<ProcessFacts> facts = look(static_cast<std::int64_t>(::GetCurrentProcessId()));
    if (!facts) return std::nullopt;
    facts->node_of.reset();
    const auto name = exact_wide(kRunMarkerVariable);
    facts->marked = name && ::GetEnvironmentVariableW(name->c_str(), nullptr, 0) != 0;
    return facts;
  }

  std::string confinement() override {
    const std::vector<RunRoster::Member> roster = RunRoster::read(state_directory_ + "/" + kRosterName);
    const bool inside = std::any_of(roster.begin(), roster.end(), [this](const RunRoster::Member& member) {
      return in_job_of(member.marker);
    });
    return inside ? "it is in the job object of a run" : "";
  }

  bool in_job_of(const std::string& marker) override {
    const auto name = exact_wide(run_job_name(marker));
    if (!name) return false;
    const UniqueFd job = owned(::OpenJobObjectW(JOB_OBJECT_QUERY, FALSE, name->c_str()));
    BOOL inside = FALSE;
    return job && ::IsProcessInJob(::GetCurrentProcess(), as_handle(job.get()), &inside) != 0 &&
           inside != FALSE;
  }

 private:
  std::string state_directory_;
  std::int64_t node_;
  std::map<DWORD, DWORD> parents_;
};

}  // namespace

std::unique_ptr<ProcessTable> processes_of_this_system(const std::string& state_directory) {
  return std::make_unique<WindowsProcesses>(state_directory);
}

}  // namespace hostclaw::node_host
