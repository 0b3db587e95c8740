// SPDX-License-Identifier: Apache-2.0
// May that file be reached? By what was given to who asks, and by where the path leads. Pure; safe from any
// thread. Cost: patterns x length of the path.
#pragma once

#include "node-host/corridor/exec_request.h"
#include "policy/model/types.h"

namespace hostclaw::node_host {

// kFileGranted allows; kOriginNotGranted, kFileOutsideRoots, kFileUnreachable and kFileDenied deny. What a
// pattern denies is denied in every root. A caller that is part of a run reaches nothing: by its own rights
// it may.
policy::Decision decide_file(const FileAsked& asked, const Origin& origin);

}  // namespace hostclaw::node_host
