// SPDX-License-Identifier: Apache-2.0
// The file of this very program, as decisions compare files with it. Looked at once, the first time it is
// asked for. Thread rule: safe from any thread.
#pragma once

#include "policy/decide/engine.h"

namespace hostclaw::node_host {

const policy::OwnProgram& own_program();

}  // namespace hostclaw::node_host
