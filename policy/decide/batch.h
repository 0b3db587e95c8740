// SPDX-License-Identifier: Apache-2.0
// Decisions for scripts: one JSON line in, one JSON line out, by the same code that decides for real.
#pragma once

#include <string>
#include <string_view>

#include "policy/decide/engine.h"

namespace hostclaw::policy {

// In:  {"id", "params": <system.run params>, "document"?: <approvals document>, "pathEnv"?, "strictness"?,
// "runAs"?} Out: {"id", "verdict": allow|ask|deny|invalid, "code", "reason", "argv": [[...], ...]} without a
// line end.
//
// The document of the row is the policy. Where it is silent, `official` uses upstream's fallbacks
// full/off/deny and `hardened` allowlist/on-miss/deny. `base` gives everything else; its remembered plan is
// not used. A line that cannot be read is answered with verdict invalid; nothing throws.
std::string check_batch_line(std::string_view json_line, const EngineContext& base);

// The fallbacks that go with a strictness.
EngineSettings batch_settings(EngineSettings base, Strictness strictness);

}  // namespace hostclaw::policy
