// SPDX-License-Identifier: Apache-2.0
// Windows' error numbers as errno values, which is what the rest of this program speaks.
#pragma once

#include "base/result.h"

namespace hostclaw::node_host {

// EIO for what has no counterpart. `code` is a value of GetLastError().
int errno_from(unsigned long code);

// Error{code: the errno name, message: the words for it, and Windows' number where they say less than it}.
Error windows_error(unsigned long code);
Error last_windows_error();

}  // namespace hostclaw::node_host
