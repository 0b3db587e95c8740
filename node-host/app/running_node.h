// SPDX-License-Identifier: Apache-2.0
// What is known of a node from outside: whether one runs with a state directory, and with which database.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace hostclaw::node_host {

// The line that a node keeps beside its lock, for database_left_behind().
std::string database_note(const std::string& file_identity);

// STORE_MOVED when a node runs with this state directory, but another database lies there than the one it
// uses, or none: what is written there does not reach it, and it refuses everything. nullopt otherwise.
std::optional<Error> database_left_behind(const std::string& state_directory);

}  // namespace hostclaw::node_host
