// SPDX-License-Identifier: Apache-2.0
// Random ids for rows and entries. Safe from any thread.
#pragma once

#include <string>

namespace hostclaw::approvals {

std::string new_uuid();  // RFC 4122 version 4

}  // namespace hostclaw::approvals
