// SPDX-License-Identifier: Apache-2.0
#include "node-host/app/running_node.h"

#include "approvals/platform/private_files.h"
#include "node-host/system/files/instance_lock.h"

namespace hostclaw::node_host {
namespace {

constexpr std::string_view kDatabase = "database ";

}  // namespace

std::string database_note(const std::string& file_identity) { return std::string(kDatabase) + file_identity; }

std::optional<Error> database_left_behind(const std::string& state_directory) {
  const auto node = InstanceLock::holder(state_directory);
  if (!node || !node->note.starts_with(kDatabase)) return std::nullopt;
  const std::string path = state_directory + "/hostclaw.sqlite";
  const std::string there = approvals::file_identity(path);
  if (database_note(there) == node->note) return std::nullopt;
  const std::string who = "the node that runs (process " + std::to_string(node->pid) + ")";
  return make_error("STORE_MOVED",
                    (there == "absent" ? path + " was moved or deleted under " + who
                                       : path + " is not the database that " + who + " uses") +
                        ": it refuses everything until its database is back. Put it back, or start the node "
                        "again to go on with what is there",
                    "hostclaw node restart");
}

}  // namespace hostclaw::node_host
