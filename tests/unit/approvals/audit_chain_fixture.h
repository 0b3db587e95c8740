// SPDX-License-Identifier: Apache-2.0
// A chain in a store of its own, with a clock and a signing key that a test can turn.
#pragma once

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "base/sha256.h"
#include "support.h"

namespace hostclaw::approvals::testing {

// Stands in for the device key.
inline std::string fake_signature(const std::string& key, std::string_view statement) {
  return sha256_hex("secret of " + key + "\n" + std::string(statement));
}

inline AuditSigner signer(const std::string& key = "device-1") {
  return {key, [key](std::string_view statement) -> Result<std::string> {
            return fake_signature(key, statement);
          }};
}

inline bool good_signature(const std::string& key, std::string_view statement, const std::string& signature) {
  return key == "device-1" && signature == fake_signature(key, statement);
}

struct ChainFixture {
  TemporaryDirectory base;
  std::unique_ptr<Store> store = open_store(base.path());
  std::int64_t now = 1'000'000;

  AuditOptions options(bool with_signer = true) {
    AuditOptions made;
    if (with_signer) made.signer = signer();
    made.checkpoint_every_rows = 10;
    made.checkpoint_every_ms = 60'000;
    made.now_ms = [this] { return now; };
    return made;
  }
  // As somebody with access to the file would, who removes what stands in the way first.
  void tamper(const char* sql) {
    must(
        store->database().execute("DROP TRIGGER IF EXISTS audit_rows_are_never_changed;"
                                  "DROP TRIGGER IF EXISTS audit_rows_are_only_removed_by_retention"));
    must(store->database().execute(sql));
  }
};

inline AuditVerifyOptions checking() {
  AuditVerifyOptions options;
  options.check_signature = good_signature;
  return options;
}

}  // namespace hostclaw::approvals::testing
