// SPDX-License-Identifier: Apache-2.0
// Safe bins: filters that may run without an entry as long as their arguments cannot name a file or run
// anything. Exec contract 9.1, 9.2, 17.1 item 7. Advisories: GHSA-xvhf-x56f-2hpp, GHSA-mhq8-78pj-5j79,
// GHSA-4gc7-qcvf-38wg, GHSA-3c6h-g97w-fg78, GHSA-4685-c5cp-vp95, GHSA-g75x-8qqm-2vxp, GHSA-5gj7-jf77-q2q2.
// Not available on Windows. Pure; safe from any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model/types.h"

namespace hostclaw::policy {

// Flags are stored with their dashes: `--bytes`, `-b`.
struct SafeBinRules {
  int min_positional = 0;
  std::optional<int> max_positional;  // nullopt: no limit
  std::vector<std::string> value_flags;
  std::vector<std::string> boolean_flags;
  std::vector<std::string> denied_flags;
};

// cut uniq head tail tr wc
const std::vector<std::string>& default_safe_bins();

// Built-in rules of a lower-case name (the defaults above, and sort grep jq); nullptr when there are none.
const SafeBinRules* built_in_safe_bin_rules(std::string_view name);

// A configured profile. Flags without a dash get one (`-x` for one letter, `--xyz` otherwise); boolean flags
// cannot be configured.
SafeBinRules configured_safe_bin_rules(std::optional<int> min_positional, std::optional<int> max_positional,
                                       const std::vector<std::string>& allowed_value_flags,
                                       const std::vector<std::string>& denied_flags);

struct SafeBinCheck {
  bool ok = false;
  std::string reason;  // one sentence when not ok
};

// `arguments` are those after argv[0]. `name` is lower-case; jq, awk, gawk, mawk, nawk, sed, gsed are refused
// whatever the rules. hardened and official differ in nothing that official allows by mistake (17.1 item 7 is
// closed in both): hardened in addition refuses abbreviated long options.
SafeBinCheck check_safe_bin_arguments(std::string_view name, const SafeBinRules& rules,
                                      std::span<const std::string> arguments, Strictness strictness);

// True when `real_path` lies directly in /bin, /usr/bin or one of `configured` (absolute directories).
bool is_in_trusted_directory(std::string_view real_path, std::span<const std::string> configured);

}  // namespace hostclaw::policy
