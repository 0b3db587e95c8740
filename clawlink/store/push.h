// SPDX-License-Identifier: Apache-2.0
// Push notifications: who wants to be told of a task, and up to which of its events he has been.
//
// There is no queue beside the task's events: a config knows the last one that was told, and is due when
// there are later ones. So what waits is bounded by the task, survives the process, and is told in order,
// each at least once. What cannot be told after several tries is given up with all that waits then: a row of
// the record, and one of `dead-letters`; where no further try could end otherwise, the config is over. When
// the task has ended and the last of it was told, a config keeps its address and loses its secrets; it goes
// with the task.
//
// Errors: PUSH_CONFIGS_FULL, STORE_*.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clawlink/store/session.h"

namespace hostclaw::clawlink {

struct PushConfig {
  std::int64_t push_id = 0;
  std::string task_id;
  std::string config_id;
  std::string caller;
  std::string key_id;       // of the credential that it was made with; empty: none
  std::string url;          // secret, as the three below: for its receiver and its caller
  std::string token;        // of the header X-A2A-Notification-Token; empty: none
  std::string scheme;       // of the header Authorization; empty: none
  std::string credentials;  // behind the scheme
  std::string where;        // "host:port", which is shown
  std::int64_t told = kNothingTold;
  std::int64_t tries = 0;
  bool finished = false;
  static constexpr std::int64_t kNothingTold = -1;  // not even the task itself
};

// In the place of one with the same task and id. It is due at once.
Result<void> put_push_config(StoreSession& session, const PushConfig& config);
Result<std::optional<PushConfig>> find_push_config(StoreSession& session, const std::string& task_id,
                                                   const std::string& config_id);
Result<std::optional<PushConfig>> find_push_config(StoreSession& session, std::int64_t push_id);
Result<std::vector<PushConfig>> list_push_configs(StoreSession& session, const std::string& task_id);
Result<void> remove_push_config(StoreSession& session, const PushConfig& config, const std::string& why);

// The task has a new event: its configs are due.
Result<void> wake_pushes(StoreSession& session, const std::string& task_id);

struct DuePush {
  std::int64_t push_id = 0;
  std::string caller;
};
struct DuePushes {
  std::vector<DuePush> now;  // the longest due first
  std::int64_t next_ms = 0;  // when the next one will be; 0: none is waiting for a time
};
Result<DuePushes> due_pushes(StoreSession& session);

// Told up to `told`: due again when the task has later events. A config that was replaced or removed
// meanwhile is passed over, here and below.
Result<void> push_told(StoreSession& session, std::int64_t push_id, std::int64_t told);

struct PushFailure {
  std::string why;
  bool is_final = false;  // another try would end as this one
  std::int64_t retry_after_ms = 0;
};
// True: given up.
Result<bool> push_failed(StoreSession& session, std::int64_t push_id, const PushFailure& failure);

}  // namespace hostclaw::clawlink
