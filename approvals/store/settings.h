// SPDX-License-Identifier: Apache-2.0
// The node owner's execution settings: typed access to the Store's settings whose keys start with "exec.".
//
// Reading never fails. A stored value that is wrong is reported with its key, and the strictest value of that
// setting is used until it is repaired; a store that cannot be read gives the strictest value of every
// setting. Thread rule: the thread that owns the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "policy/decide/engine.h"

namespace hostclaw::approvals {

// What a remote party may do to the policy document.
enum class RemoteEdits {
  kAllow,        // whatever OpenClaw's own node would accept
  kTightenOnly,  // remove entries and lower what is allowed
  kNone,
};
std::string_view to_string(RemoteEdits value);  // allow | tighten-only | none

// Who is asked when the policy says "ask".
enum class AskVia { kGateway, kLocal, kBoth };
std::string_view to_string(AskVia value);  // gateway | local | both

struct ExecSettings {
  policy::EngineSettings engine;
  RemoteEdits remote_edits = RemoteEdits::kAllow;
  AskVia ask_via = AskVia::kGateway;
  std::int64_t ask_wait_ms = 10 * 60 * 1000;  // how long a question of this node waits: 1 s to 24 h
  std::size_t max_concurrent_runs = 64;       // 1 to 1024
  std::optional<std::string> path_override;   // replaces the host's PATH; empty: no bare name is found
};

struct ExecSettingsReading {
  ExecSettings settings;
  std::vector<Error>
      problems;  // SETTING_INVALID naming the key, with the command that repairs it; or STORE_*
};

ExecSettingsReading read_exec_settings(Store& store);

// Short forms for callers that have no place for problems.
policy::EngineSettings engine_settings(Store& store);
std::size_t max_concurrent_runs(Store& store);

// Stores one setting after checking it, with a row of the audit chain. Errors: SETTING_UNKNOWN,
// SETTING_INVALID (nothing is stored), STORE_*.
Result<void> put_exec_setting(Store& store, const std::string& key, const Json& value,
                              const Actor& actor = {"cli", ""});
// Back to what holds when nothing is stored.
Result<void> remove_exec_setting(Store& store, const std::string& key, const Actor& actor = {"cli", ""});
Result<void> check_exec_setting(const std::string& key, const Json& value);

// For settings of other kinds, which their owner has checked: stores the value, or removes it when there is
// none, with the same row of the audit chain.
Result<void> write_recorded_setting(Store& store, const std::string& key, const std::optional<Json>& value,
                                    const Actor& actor);

// Every key, for help texts.
struct ExecSettingInfo {
  std::string_view key;
  std::string_view values;   // "deny | allowlist | full"
  std::string_view initial;  // what holds when nothing is stored
  std::string_view meaning;
};
const std::vector<ExecSettingInfo>& exec_setting_infos();

}  // namespace hostclaw::approvals
