// SPDX-License-Identifier: Apache-2.0
// The environment of children: what they inherit from the host, what a request may add. Exec contract
// section 10. Advisories: GHSA-82g8-464f-2mv7, GHSA-2fgq-7j6h-9rm4. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

// Host environment as children inherit it (exec contract 10.3), own secrets removed, with the OPENCLAW_CLI
// marker.
Environment sanitized_environment(const Environment& host_environment, Platform platform);

// What became of the `env` member of a request.
struct OverrideCheck {
  Environment accepted;              // in the order of their names
  std::vector<std::string> blocked;  // upper-case, unique, sorted
  std::vector<std::string> invalid;  // as given after trimming, unique, sorted

  bool rejected() const { return !blocked.empty() || !invalid.empty(); }
};

// The `env` member as pairs in the order of their names. What is no object (null, absent) is an empty set;
// values that are no strings are skipped.
Environment read_overrides(const Json& overrides);
OverrideCheck check_override_pairs(const Environment& overrides, Platform platform);
OverrideCheck check_overrides(const Json& overrides, Platform platform);  // both together

// True when upstream refuses this name with this value in a request (10.2 steps 3 to 5).
bool is_blocked_override(std::string_view name, std::string_view value, Platform platform);

// Upper-case, unique and sorted: the names of `keys` that a request could not set either. For `env
// NAME=VALUE` in an argv, where upstream looks at the name alone.
std::vector<std::string> blocked_assignment_keys(const std::vector<std::string>& keys, Platform platform);

// 10.4: what is left of accepted overrides when the request runs a shell. Silent, as upstream.
Environment shell_wrapper_overrides(const Environment& accepted);

// Ours, in hardened mode under an allowlist: a request brings only names that are known to be harmless.
struct PermittedOverrides {
  Environment kept;
  std::vector<std::string> dropped;   // not known; left out
  std::vector<std::string> steering;  // known to choose files, programs or options: a human must see them
};
PermittedOverrides permitted_overrides(const Environment& accepted);

// Value of the variable, last one wins; names are compared ignoring case on Windows.
const std::string* find_variable(const Environment& environment, std::string_view name, Platform platform);

// `base` with `overrides` in place (names compared ignoring case on Windows).
Environment with_overrides(Environment base, const Environment& overrides, Platform platform);

}  // namespace hostclaw::policy
