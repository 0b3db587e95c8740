// SPDX-License-Identifier: Apache-2.0
// The folders of a service: its state, its log, the secrets that were handed over. Errors:
// SERVICE_PERMISSIONS, SERVICE_FAILED. Thread rule: any thread, one call on a folder at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/app/service_manager.h"
#include "service-win/service_plan.h"

namespace hostclaw::service_win {

// %ProgramData%\hostclaw, asked of Windows and not of the environment.
std::string machine_state_directory();
std::string program_files_directory();
std::string user_profile_directory();
std::string log_path(const std::string& state_directory);
// Where commands of the machine's service begin: an empty folder, not the system's.
std::string home_path(const std::string& state_directory);

// Makes the folder, or takes one that an administrator, SYSTEM or this account owns, and closes it: SYSTEM,
// the administrators and `sids`. What is in it inherits that. A folder that somebody else put there is
// refused: on a machine with several users everybody may make folders in %ProgramData%.
Result<void> make_state_folder(const std::string& directory, const std::vector<std::string>& sids);
// The same for one user, below the user's own folders, which are closed already.
Result<void> make_own_state_folder(const std::string& directory);

// Secrets that the service manager hands over. They are protected by the key of the machine (system scope) or
// of the user (user scope), in a file that the state's access list closes.
Result<void> keep_secret(const std::string& state_directory, node_host::ServiceScope scope,
                         const std::string& name, const std::string& value);
// Empty when there is none or it cannot be read.
std::string kept_secret(const std::string& state_directory, const std::string& name);
void forget_secret(const std::string& state_directory, const std::string& name);
void forget_secrets(const std::string& state_directory);  // all of them
// Whether groups that everybody is in may read what is kept there.
bool secrets_are_open(const std::string& state_directory);

// Replaces the file in one step.
Result<void> write_whole_file(const std::string& path, const std::string& text);
std::string read_whole_file(const std::string& path);  // empty when it cannot be read

void tell_status(const std::string& state_directory, const ToldStatus& status);
// What a process that still lives told; pid 0 otherwise.
ToldStatus told_status(const std::string& state_directory);
bool process_lives(std::int64_t pid);
// Unix milliseconds, 0 when unknown.
std::int64_t process_start_ms(std::int64_t pid);

// The log as text, the renamed part included.
std::string log_text(const std::string& state_directory, const node_host::LogWish& wish);

bool path_exists(const std::string& path);
// Removes the folder and what is in it. Links and junctions are removed, never followed.
void remove_tree(const std::string& directory);
// What hostclaw put into a state folder, and the folder itself when nothing else is in it.
void remove_own_files(const std::string& state_directory);

}  // namespace hostclaw::service_win
