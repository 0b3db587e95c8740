// SPDX-License-Identifier: Apache-2.0
// What the service's definition says and what the Service Control Manager's numbers mean. Pure: no call of
// Windows here, so that it can be tested everywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/profile.h"
#include "base/result.h"

namespace hostclaw::service_win {

// Of this profile.
inline std::string service_name() { return with_profile("hostclaw"); }
inline std::string display_name() {
  const std::string name = profile();
  return "hostclaw node host" + (name.empty() ? name : " (" + name + ")");
}
// Windows makes it with the service, nobody else uses it.
inline std::string own_service_account() { return "NT SERVICE\\" + service_name(); }
// Its end is the marker by which a service is known as ours.
inline constexpr const char* kDescription =
    "Pairs with an OpenClaw gateway and runs the commands that the policy of this machine allows. "
    "[hostclaw-service]";
inline constexpr const char* kMarker = "[hostclaw-service]";
inline constexpr int kStopGraceSeconds = 20;  // for commands that run when the service stops
// After that the process ends, whatever still runs; above the grace and the cancelling of what is left.
inline constexpr std::chrono::seconds kStopBound{45};
// What the Service Control Manager gives it before a shutdown: longer, or the manager would end the process
// in the moment in which it ends by itself, and nothing would be recorded.
inline constexpr std::chrono::seconds kManagerStopBound = kStopBound + std::chrono::seconds(15);
// Before the first, the second and every further start after a failure.
inline constexpr std::chrono::seconds kRestartDelays[] = {std::chrono::seconds(5), std::chrono::seconds(30),
                                                          std::chrono::seconds(120)};
// A run of this length is a success: the delays begin anew.
inline constexpr std::chrono::seconds kGoodRun{600};

// ---- The definition

// Who starts the command line: "run", "logon", and what the latter starts itself: "logon-node".
enum class Starter { kServiceManager, kLogonTask, kLogonTaskItself };

struct Definition {
  Starter starter = Starter::kServiceManager;
  std::string executable;
  std::string state_directory;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> run_arguments;  // flags of `node run`
};

// EXECUTABLE service run|logon|logon-node --state-dir DIR [--set NAME=VALUE]... FLAGS
std::vector<std::string> words_of(const Definition& definition);
// nullopt: the words are not those of words_of().
std::optional<Definition> definition_of(const std::vector<std::string>& words);

// ---- The account

enum class AccountKind {
  kOwn,             // own_service_account()
  kLocalService,    // shared with other services
  kNetworkService,  // the same, and it is the machine on the network
  kLocalSystem,     // everything
  kManaged,         // a managed service account: Windows knows its password
  kUser,            // needs its password
};

struct ServiceAccount {
  AccountKind kind = AccountKind::kOwn;
  std::string name;  // as the Service Control Manager wants it
};

// Empty: the service's own. Errors: CONFIG_INVALID (another service's account).
Result<ServiceAccount> account_named(std::string_view text);

// S-1-5-80-...: Windows derives it from the name of the service (MS-DTYP 2.4.2.4, SERVICE SIDs).
std::string service_sid(std::string_view service_name);

// The protected list of who may open the state: SYSTEM, the administrators and these; nothing is inherited
// from above, everything below inherits it.
std::string state_folder_sddl(const std::vector<std::string>& sids);

// ---- Numbers

// As Windows names them; repeated here because this part is built everywhere.
inline constexpr std::uint32_t kNoError = 0;
inline constexpr std::uint32_t kServiceSpecificError = 1066;
inline constexpr std::uint32_t kNeverStarted = 1077;

// How the end of a run is told.
struct ServiceEnd {
  // False: the process ends without SERVICE_STOPPED, which is what makes the manager restart it.
  bool report_stopped = true;
  std::uint32_t win32_exit_code = kNoError;
  std::uint32_t specific_exit_code = 0;
};
// `asked`: somebody stopped the service.
ServiceEnd end_of_run(int exit_status, bool asked);
// Whether whoever watches over the node starts it again.
bool is_to_be_restarted(int exit_status, bool asked);
// The pause before start number `failures` (from 1).
std::chrono::seconds restart_delay(int failures);

// "running", "starting", "stopping", "stopped", "failed", "unknown".
std::string status_word(std::uint32_t current_state, std::uint32_t win32_exit_code);
// "RUNNING", as `sc query` shows it.
std::string state_word(std::uint32_t current_state);
std::optional<int> last_exit_status(std::uint32_t win32_exit_code, std::uint32_t specific_exit_code);
// "never-started", "configuration", "exit-code" or empty.
std::string last_exit_reason(std::uint32_t win32_exit_code, std::uint32_t specific_exit_code);

// How long to wait before the status is asked for again: a tenth of what the service hinted, within bounds.
std::chrono::milliseconds poll_pause(std::uint32_t wait_hint_ms);

// ---- What the node last told: the file service.status of the state

struct ToldStatus {
  std::int64_t pid = 0;
  std::string text;
  // When that process started, Unix milliseconds: Windows gives a number to another process soon. 0: not
  // told, as by versions that only told the number.
  std::int64_t started_ms = 0;
};
// Whether a process that lives under the told number, started at `started_ms` (0: unknown), can be who told
// it.
bool is_who_told(const ToldStatus& told, std::int64_t started_ms);
std::string told_status_text(const ToldStatus& status);
ToldStatus read_told_status(std::string_view text);

// The newest lines of a log that was renamed when it was full; `since_ms` as LogWish.
std::string newest_log_lines(const std::string& older, const std::string& newer, std::size_t lines,
                             std::int64_t since_ms);

}  // namespace hostclaw::service_win
