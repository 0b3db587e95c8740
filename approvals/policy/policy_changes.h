// SPDX-License-Identifier: Apache-2.0
// What changed between two policy documents, for the record: without the secrets a document may hold. Pure.
#pragma once

#include <string_view>

#include "base/json.h"

namespace hostclaw::approvals {

// {"policy": [{"where": "defaults.security", "before": "allowlist", "after": "full"}, ...],
//  "added": [{"agent", "pattern", "argPattern"?, "source"?}, ...], "removed": [...], "omitted": n?}
// At most 100 members in each list; `omitted` counts the rest. A text that is no policy is named by
// {"where": "document", ...: "malformed"}; an empty text is a document that did not exist.
Json policy_changes(std::string_view before, std::string_view after);

}  // namespace hostclaw::approvals
