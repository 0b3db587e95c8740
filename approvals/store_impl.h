// What a Store holds. For the files that implement Store only.
#pragma once

#include <memory>

#include "approvals/sqlite.h"
#include "approvals/store.h"

namespace hostclaw::approvals {

struct Store::Impl {
  std::unique_ptr<Database> database;
  StoreOptions options;
  std::int64_t inserted_runs = 0;  // by this object, for the amortised expiry
};

}  // namespace hostclaw::approvals
