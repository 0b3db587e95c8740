// SPDX-License-Identifier: Apache-2.0
// The owner's switch for edits that come from the gateway (setting exec.remoteEdits). Pure; safe from any
// thread.
#pragma once

#include "approvals/store/settings.h"
#include "base/result.h"
#include "policy/decide/engine.h"
#include "policy/document/document.h"

namespace hostclaw::approvals {

// Whether a remote party may replace `before` by `after`. tighten-only accepts what leaves no agent, named or
// not, with more than it had: no further entry, no looser security, ask or askFallback, no skills allowed
// that were not. Documents are compared by what they mean for each agent, not by their text: an entry whose
// argPattern goes from empty (no arguments) to absent (any) is a loosening, one that never matched is
// nothing. `settings` say what holds where a document is silent. Error: REMOTE_EDIT_REFUSED, naming what
// would loosen. A document that changes nothing is accepted under every switch.
Result<void> check_remote_edit(RemoteEdits allowed, const policy::PolicyDocument& before,
                               const policy::PolicyDocument& after, const policy::EngineSettings& settings);

}  // namespace hostclaw::approvals
