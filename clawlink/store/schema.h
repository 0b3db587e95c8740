// SPDX-License-Identifier: Apache-2.0
// The relay's database: `clawlink.sqlite` in the state directory (0600 in a 0700 directory), with steps by
// `user_version` and the audit chain's own tables (approvals/audit/audit_chain.h).
//
// WAL with synchronous=FULL: what was committed survives the death of the process and the loss of power.
// Several processes may open it at once. Errors: STORE_* as approvals/store/store.h.
#pragma once

#include <memory>
#include <string>

#include "approvals/database/sqlite.h"
#include "base/result.h"

namespace hostclaw::clawlink {

std::string database_path(const std::string& directory);

// Creates what is missing and brings an older database up to date.
Result<std::unique_ptr<approvals::Database>> open_relay_database(const std::string& directory);
// STORE_NOT_FOUND when there never was a relay; changes nothing.
Result<std::unique_ptr<approvals::Database>> open_relay_database_for_reading(const std::string& directory);

}  // namespace hostclaw::clawlink
