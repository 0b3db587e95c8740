// SPDX-License-Identifier: Apache-2.0
// Random UUIDs (RFC 4122 version 4). Safe from any thread.
#pragma once

#include <string>

namespace hostclaw::node_host {

std::string new_uuid();

}  // namespace hostclaw::node_host
