// SPDX-License-Identifier: Apache-2.0
// The policy document as parsed values, read again only when it changed, and what a decision writes back to
// it.
//
// Nothing here fails open: a document that cannot be read, or whose text is not what was stored, is a
// document that denies everything and says why. Thread rule: the thread that owns the store; one cache per
// database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/result.h"
#include "policy/decide/engine.h"
#include "policy/document/document.h"

namespace hostclaw::approvals {

struct PolicySnapshot {
  std::shared_ptr<const policy::PolicyDocument> document;  // never null
  std::string hash;                                        // of the text that `document` was read from
  std::int64_t generation = 0;
  bool exists = false;
};

class PolicyCache {
 public:
  // The document that is in force now. Stores the fresh document when there is none yet; a store that is open
  // for reading only gets it without storing. Cheap when nothing changed.
  std::shared_ptr<const policy::PolicyDocument> current(Store& store);
  // The same together with the hash for a compare-and-swap on exactly this document.
  PolicySnapshot snapshot(Store& store);

 private:
  PolicySnapshot read(Store& store);
  PolicySnapshot cached_;
  std::int64_t epoch_ = 0;  // of the store, when it was read
};

// Adds allow-always grants to agents.<agent>.allowlist in one transaction; a grant that is there already is
// left alone, and one that binds arguments and directory replaces older grants of its pattern that do not
// (exec contract 7.6). Errors: GRANT_REFUSED (no agent, or the stored document is malformed), STORE_*.
Result<void> store_grants(Store& store, const std::string& agent,
                          const std::vector<policy::GrantToStore>& grants,
                          const Actor& actor = {"gateway", ""});

// Remembers that these entries were used. Kept beside the document: its hash does not change.
Result<void> record_usage(Store& store, const std::vector<policy::MatchedEntry>& matched,
                          const std::string& command_text, std::int64_t now_ms);

}  // namespace hostclaw::approvals
