// SPDX-License-Identifier: Apache-2.0
// Output that a caller wants in files of this host (`output_to_file`). Thread rule: any.
#pragma once

#include <string>

#include "base/result.h"
#include "hostlink/proto/replies.h"

namespace hostclaw::hostlink {

// Writes both streams into new files `hl_<id>_<random>_stdout|_stderr` of `directory` (0600 in a 0700
// directory of ours; what lies there is neither followed nor overwritten) and puts their paths in the place
// of the bytes. Of `id` only letters, digits, `.`, `_` and `-` are taken, at most 64. Errors: STORE_*.
Result<void> keep_output_files(const std::string& directory, const std::string& id, OutputOfStream& out,
                               OutputOfStream& err);

}  // namespace hostclaw::hostlink
